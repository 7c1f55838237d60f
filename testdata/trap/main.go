// Command trap is a tiny service that breaks where hardening forbids what it does. It does its acts one after the other,
// says which of them failed and why, and then serves: it answers "ok" on 127.0.0.1:7777 until it is stopped.
//
//	trap ACT[=ARGUMENT]...
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// acts are what can be done, each by the directive family that forbids it.
var acts = map[string]func(arg string) error{
	"write":     write,    // a file below the directory ARGUMENT: ProtectSystem=, ReadOnlyPaths=
	"read":      read,     // the file ARGUMENT: InaccessiblePaths=, ProtectHome=
	"exec":      run,      // the program ARGUMENT: NoExecPaths=
	"wx":        wx,       // memory that is writable and executable: MemoryDenyWriteExecute=
	"socket":    socket,   // of the family number ARGUMENT: RestrictAddressFamilies=
	"unshare":   unshare,  // the namespace ARGUMENT: RestrictNamespaces=
	"realtime":  realtime, // scheduling: RestrictRealtime=
	"setuidbit": setuid,   // on a file in ARGUMENT: RestrictSUIDSGID=
	"chown":     chown,    // a file in ARGUMENT to another user: CapabilityBoundingSet=
	"low-port":  lowPort,  // the port ARGUMENT: CapabilityBoundingSet=
	"hostname":  hostname, // sethostname(): ProtectHostname=
	"keyctl":    keyctl,   // a key for itself: SystemCallFilter=~@keyring
	"mlock":     mlock,    // a page: SystemCallFilter=~@memlock
	"exit":      quit,     // with the status ARGUMENT
}

func main() {
	for _, word := range os.Args[1:] {
		name, arg, _ := strings.Cut(word, "=")
		act, ok := acts[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "trap: no act %q, want one of %s\n", name, strings.Join(names(), ", "))
			os.Exit(2)
		}
		if err := act(arg); err != nil {
			fmt.Fprintf(os.Stderr, "trap: %s: %v\n", word, err)
			os.Exit(1)
		}
		fmt.Fprintf(os.Stderr, "trap: %s: ok\n", word)
	}
	if err := serve("127.0.0.1:7777"); err != nil {
		fmt.Fprintf(os.Stderr, "trap: %v\n", err)
		os.Exit(1)
	}
}

func names() []string {
	var list []string
	for n := range acts {
		list = append(list, n)
	}
	sort.Strings(list)
	return list
}

func serve(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		fmt.Fprintln(c, "ok")
		c.Close()
	}
}

func write(dir string) error {
	file := filepath.Join(dir, "trap.state")
	return os.WriteFile(file, []byte("state\n"), 0o600)
}

func read(file string) error {
	_, err := os.ReadFile(file)
	return err
}

func run(program string) error { return exec.Command(program).Run() }

func wx(string) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return fmt.Errorf("mmap: %w", err)
	}
	return unix.Munmap(page)
}

func socket(family string) error {
	n, err := strconv.Atoi(family)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(n, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	return unix.Close(fd)
}

var namespaces = map[string]uintptr{
	"mnt": unix.CLONE_NEWNS, "uts": unix.CLONE_NEWUTS, "ipc": unix.CLONE_NEWIPC, "net": unix.CLONE_NEWNET, "user": unix.CLONE_NEWUSER,
}

// unshare does so in a child, which exits at once.
func unshare(name string) error {
	c := exec.Command("/proc/self/exe", "exit=0")
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: namespaces[name]}
	return c.Run()
}

func realtime(string) error {
	priority := struct{ priority int32 }{1}
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_FIFO, uintptr(unsafe.Pointer(&priority)))
	if errno != 0 {
		return fmt.Errorf("sched_setscheduler: %w", errno)
	}
	return nil
}

func setuid(dir string) error {
	file := filepath.Join(dir, "trap.setuid")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	return unix.Chmod(file, 0o4700)
}

func chown(dir string) error {
	file := filepath.Join(dir, "trap.owner")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	defer os.Remove(file)
	return os.Chown(file, 1, 1)
}

func lowPort(port string) error {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	return l.Close()
}

func hostname(string) error { return unix.Sethostname([]byte("trap")) }

func keyctl(string) error {
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_PROCESS_KEYRING, true)
	return err
}

func mlock(string) error { return unix.Mlock(make([]byte, os.Getpagesize())) }

func quit(status string) error {
	n, _ := strconv.Atoi(status)
	os.Exit(n)
	return nil
}
