package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// An attempt to get at the machine returns what it has reached, or why it was refused.
type attempt struct {
	name string
	try  func() (what string, err error)
}

// attacks that take the most come last.
var attacks = []attempt{
	{"core-pattern", func() (string, error) { return rewrite("proc", "sys/kernel/core_pattern") }},
	{"swappiness", func() (string, error) { return rewrite("proc", "sys/vm/swappiness") }},
	{"irq-affinity", func() (string, error) { return rewrite("proc", "irq/default_smp_affinity") }},
	{"sysrq", func() (string, error) { return openToWrite("proc", "sysrq-trigger") }},
	{"kernel-log-file", func() (string, error) { return openToRead("proc", "kmsg") }},
	{"uevent-helper", func() (string, error) { return openToWrite("sysfs", "kernel/uevent_helper") }},
	{"power-state", func() (string, error) { return openToWrite("sysfs", "power/state") }},
	{"remount-proc-sys", remountProcSys},
	{"mknod-memory", func() (string, error) { return mknod(unix.S_IFCHR, 1, 1) }},
	{"mknod-kernel-log", func() (string, error) { return mknod(unix.S_IFCHR, 1, 11) }},
	{"mknod-loop-control", func() (string, error) { return mknod(unix.S_IFCHR, 10, 237) }},
	{"mknod-disk", func() (string, error) { return mknod(unix.S_IFBLK, 254, 0) }},
	{"mknod-loop", func() (string, error) { return mknod(unix.S_IFBLK, 7, 0) }},
	{"devtmpfs", func() (string, error) { return mounted("devtmpfs", "") }},
	{"debugfs", func() (string, error) { return mounted("debugfs", "") }},
	{"tracefs", func() (string, error) { return openToWrite("tracefs", "tracing_on") }},
	{"securityfs", func() (string, error) { return mounted("securityfs", "") }},
	{"pstore", func() (string, error) { return mounted("pstore", "") }},
	{"cgroup-memory", func() (string, error) { return makeCgroup("memory") }},
	{"cgroup-pids", func() (string, error) { return makeCgroup("pids") }},
	{"cgroup-devices", func() (string, error) { return makeCgroup("devices") }},
	{"cgroup-limits", liftLimits},
	{"bpf", loadBPF},
	{"perf", perf},
	{"fanotify", fanotify},
	{"kernel-log", kernelLog},
	{"module", loadModule},
	{"io-ports", ioPorts},
	{"clock", setClock},
	{"file-handle", fileHandle},
	{"kill", killOutside},
	{"network", network},
	{"forks", forks},
	{"memory", memory},
	{"disk", disk},
}

// mounted mounts a file system of a type at a new directory.
func mounted(fstype, options string) (string, error) {
	dir, err := os.MkdirTemp("/run", "hostile-"+fstype+"-")
	if err != nil {
		return "", err
	}
	return dir, unix.Mount("hostile", dir, fstype, 0, options)
}

// rewrite writes to a file of a fresh file system what it reads there.
func rewrite(fstype, name string) (string, error) {
	dir, err := mounted(fstype, "")
	if err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	return rewriteFile(filepath.Join(dir, name))
}

func rewriteFile(name string) (string, error) {
	value, err := os.ReadFile(name)
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Write(value); err != nil {
		return "", err
	}
	return name + " was written", nil
}

func openToWrite(fstype, name string) (string, error) { return open(fstype, name, unix.O_WRONLY) }
func openToRead(fstype, name string) (string, error)  { return open(fstype, name, unix.O_RDONLY) }

func open(fstype, name string, flags int) (string, error) {
	dir, err := mounted(fstype, "")
	if err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	fd, err := unix.Open(filepath.Join(dir, name), flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	return name + " is open", unix.Close(fd)
}

// remountProcSys takes away what makes /proc/sys read-only.
func remountProcSys() (string, error) {
	_ = unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "")
	what, err := rewriteFile("/proc/sys/kernel/core_pattern")
	if err == nil {
		return what, nil
	}
	_ = unix.Unmount("/proc/sys", unix.MNT_DETACH)
	return rewriteFile("/proc/sys/kernel/core_pattern")
}

func mknod(kind uint32, major, minor uint32) (string, error) {
	name := fmt.Sprintf("/run/hostile-node-%d-%d-%d", kind, major, minor)
	if err := unix.Mknod(name, kind|0o600, int(unix.Mkdev(major, minor))); err != nil {
		return "", err
	}
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "the node was made, and opening it says: " + err.Error(), nil
	}
	return "the device is open", unix.Close(fd)
}

// makeCgroup makes a cgroup in a version 1 tree of the machine, or opens one that there is.
func makeCgroup(controller string) (string, error) {
	dir, err := os.MkdirTemp("/run", "hostile-cgroup-")
	if err != nil {
		return "", err
	}
	if err := unix.Mount("hostile", dir, "cgroup", 0, controller); err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	made := filepath.Join(dir, "hostile")
	if err := os.Mkdir(made, 0o755); err == nil {
		return "a cgroup was made", os.Remove(made)
	}
	fd, err := unix.Open(filepath.Join(dir, "cgroup.procs"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	return "cgroup.procs is open", unix.Close(fd)
}

// liftLimits opens the files that limit the root of the cgroup tree that the place has.
func liftLimits() (string, error) {
	dir, err := mounted("cgroup2", "")
	if err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	errs := []error{errors.New("no file of the limits is open")}
	for _, name := range []string{"pids.max", "memory.max", "../pids.max", "../memory.max"} {
		fd, err := unix.Open(filepath.Join(dir, name), unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			return name + " is open", unix.Close(fd)
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// loadBPF loads a socket filter that returns 0.
func loadBPF() (string, error) {
	code := []uint64{0x00000000000000b7, 0x0000000000000095} // r0 = 0; exit
	license := []byte("GPL\x00")
	attr := struct {
		kind, count       uint32
		code, license     uint64
		logLevel, logSize uint32
		log               uint64
		version, flags    uint32
	}{kind: 1, count: uint32(len(code)), code: pointer(unsafe.Pointer(&code[0])), license: pointer(unsafe.Pointer(&license[0]))}
	const progLoad = 5
	fd, _, errno := unix.Syscall(unix.SYS_BPF, progLoad, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return "", errno
	}
	return "a program was loaded", unix.Close(int(fd))
}

func pointer(p unsafe.Pointer) uint64 { return uint64(uintptr(p)) }

// perf asks for events of the whole machine.
func perf() (string, error) {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{}))}
	fd, err := unix.PerfEventOpen(&attr, -1, 0, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return "", err
	}
	return "events of all processes can be read", unix.Close(fd)
}

// fanotify makes a group, of which the machine's root has a number; fanotify(7).
func fanotify() (string, error) {
	fd, err := unix.FanotifyInit(unix.FAN_CLOEXEC|unix.FAN_REPORT_FID, 0)
	if err != nil {
		return "", err
	}
	return "fanotify_init", unix.Close(fd)
}

func kernelLog() (string, error) {
	buf := make([]byte, 64)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, buf)
	return fmt.Sprintf("%d bytes were read", n), err
}

// loadModule offers what is no module: who may load one gets another error than who may not.
func loadModule() (string, error) {
	err := unix.InitModule([]byte("none"), "")
	if err == nil || errors.Is(err, unix.ENOEXEC) || errors.Is(err, unix.EINVAL) {
		return "the kernel has looked at the module", nil
	}
	return "", err
}

func ioPorts() (string, error) {
	if _, _, errno := unix.Syscall(unix.SYS_IOPERM, 0x80, 1, 1); errno != 0 { // a port that no device uses
		return "", errno
	}
	return "an I/O port is open", nil
}

// setClock sets the clock to what it shows.
func setClock() (string, error) {
	now := unix.NsecToTimeval(time.Now().UnixNano())
	return "the clock was set", unix.Settimeofday(&now)
}

// fileHandle opens the root of a file system of the machine by its number, as ext4 has it.
func fileHandle() (string, error) {
	root, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(root)
	const ino32Gen = 1
	handle := unix.NewFileHandle(ino32Gen, []byte{2, 0, 0, 0, 0, 0, 0, 0})
	fd, err := unix.OpenByHandleAt(root, handle, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	return "the root of a file system is open", unix.Close(fd)
}

// killOutside sends a signal to a process of the machine whose number the test gives.
func killOutside() (string, error) {
	victim, err := strconv.Atoi(os.Getenv("HOSTILE_VICTIM"))
	if err != nil {
		return "", errors.New("no victim is named")
	}
	return "the signal was sent", unix.Kill(victim, unix.SIGTERM)
}

// network connects to what listens on the machine.
func network() (string, error) {
	errs := []error{}
	for address := range strings.FieldsSeq(os.Getenv("HOSTILE_ADDRESSES")) {
		kind := "tcp"
		if strings.HasPrefix(address, "@") {
			kind = "unix"
		}
		conn, err := net.DialTimeout(kind, address, time.Second)
		if err == nil {
			return "connected to " + address, conn.Close()
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return "", errors.New("no address is named")
	}
	return "", errors.Join(errs...)
}

// forks makes more processes than a place may have.
func forks() (string, error) {
	const most = 3000
	var children []*exec.Cmd
	defer func() {
		for _, c := range children {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}()
	for range most {
		c := exec.Command("/bin/sleep", "100")
		if err := c.Start(); err != nil {
			return "", fmt.Errorf("after %d processes: %w", len(children), err)
		}
		children = append(children, c)
	}
	return fmt.Sprintf("%d processes run", most), nil
}

const gigabyte = 1 << 30

// memory has a child use a gigabyte.
func memory() (string, error) {
	out, err := exec.Command("/bin/sh", "-c", fmt.Sprintf("head -c %d /dev/zero | tail", gigabyte)).CombinedOutput()
	if len(out) < gigabyte || err != nil {
		return "", fmt.Errorf("%d bytes came back: %v", len(out), err)
	}
	return "a gigabyte was used", nil
}

// disk writes a gigabyte and leaves what was written.
func disk() (string, error) {
	const name = "/var/tmp/hostile-fill"
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for n := 0; n < gigabyte; n += len(block) {
		if _, err := f.Write(block); err != nil {
			return "", fmt.Errorf("after %d MiB: %w", n>>20, err)
		}
	}
	return "a gigabyte was written", nil
}
