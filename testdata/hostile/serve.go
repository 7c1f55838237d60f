package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// serve stays, as a service does, and hinders its proof:
//
//	nothing   not at all
//	stop      stops PID 1 of the place by ptrace(2), which then answers nobody
//	forks     makes processes until no more can be made, and goes on, up to 4000
//	memory    uses memory until it is killed, or two gigabytes
//	disk      fills the disk
//	outlive   leaves a process that has left its session and its cgroup
//	drop-in   leaves a drop-in for all services, also for the next that is proven in the place
//
// or it takes all that is left of what the kernel counts for the whole machine: see exhaust.go.
func serve(how string) {
	fmt.Println("ready")
	time.Sleep(500 * time.Millisecond)
	switch how {
	case "stop":
		stop(1)
	case "forks":
		for made := 0; made < 4000; {
			if exec.Command(os.Args[0], "wait").Start() != nil {
				time.Sleep(10 * time.Millisecond)
			} else {
				made++
			}
		}
	case "memory":
		var held [][]byte
		for len(held) < 2*gigabyte/(64<<20) {
			block := make([]byte, 64<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			held = append(held, block)
		}
	case "disk":
		_, err := disk()
		fmt.Println(err)
	case "outlive":
		outlive()
	case "drop-in":
		const dir = "/run/systemd/system/service.d"
		err := os.MkdirAll(dir, 0o755)
		fmt.Println(err, os.WriteFile(dir+"/x.conf", []byte("[Service]\nNoNewPrivileges=yes\n"), 0o644))
	default:
		exhaust(how)
	}
	stay()
}

// stop stops a process for as long as this one runs.
func stop(pid int) {
	// ptrace(2) belongs to a thread, which must stay; the main one does.
	err := unix.PtraceSeize(pid)
	if err == nil {
		err = unix.PtraceInterrupt(pid)
	}
	fmt.Println("stop PID 1:", err)
}

func outlive() {
	c := exec.Command(os.Args[0], "wait", os.Getenv("HOSTILE_MARK"))
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		fmt.Println(err)
		return
	}
	for _, file := range []string{"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/init.scope/cgroup.procs"} {
		_ = os.WriteFile(file, fmt.Appendln(nil, c.Process.Pid), 0)
	}
}

// stay does not return. A bare select would be a deadlock to Go.
func stay() {
	for {
		time.Sleep(time.Hour)
	}
}
