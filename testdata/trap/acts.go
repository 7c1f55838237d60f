package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"temper/internal/elf32"
)

// acts are what can be done, each by the directive family that forbids it.
var acts = map[string]func(arg string) error{
	"write":       write,       // a file below the directory ARGUMENT: ProtectSystem=, ReadOnlyPaths=
	"keep":        keep,        // a file in a directory ARGUMENT that it makes
	"put":         put,         // FILE:TEXT into a file that is there: ProtectKernelTunables=
	"mkdir":       mkdir,       // and remove it: ProtectControlGroups=
	"read":        read,        // the file ARGUMENT: InaccessiblePaths=, ProtectHome=, ProcSubset=
	"open":        open,        // the device ARGUMENT for writing: PrivateDevices=, DevicePolicy=
	"see":         see,         // FILE:TEXT that must be in it: PrivatePIDs=, ProtectProc=
	"exec":        run,         // the program ARGUMENT: NoExecPaths=, NoNewPrivileges=
	"mount":       mount,       // an empty file system at ARGUMENT: PrivateMounts=, SystemCallFilter=~@mount
	"wx":          wx,          // memory that is writable and executable: MemoryDenyWriteExecute=
	"socket":      socket,      // of the family number ARGUMENT: RestrictAddressFamilies=
	"mapped":      mapped,      // is root of a user namespace, in a child: RestrictNamespaces=, CapabilityBoundingSet=
	"unshare":     unshare,     // the namespace ARGUMENT: RestrictNamespaces=
	"realtime":    realtime,    // scheduling: RestrictRealtime=
	"personality": personality, // of another system: LockPersonality=
	"setuidbit":   setuidbit,   // on a file in ARGUMENT: RestrictSUIDSGID=
	"chown":       chown,       // a file in ARGUMENT to another user: CapabilityBoundingSet=
	"become":      become,      // the user id ARGUMENT, in a child: PrivateUsers=, CapabilityBoundingSet=
	"low-port":    lowPort,     // the port ARGUMENT: CapabilityBoundingSet=, AmbientCapabilities=
	"port":        port,        // ARGUMENT, on which it then answers ok: SocketBindDeny=
	"more":        more,        // such sockets, at the address ARGUMENT
	"hostname":    hostname,    // sethostname(): ProtectHostname=
	"chroot":      unix.Chroot, // ARGUMENT becomes its root directory
	"keyctl":      keyctl,      // a key for itself: SystemCallFilter=~@keyring
	"clock":       clock,       // how exact it is: ProtectClock=, SystemCallFilter=~@clock
	"subgroup":    subgroup,    // makes and removes one: Delegate=
	"foreign":     foreignCall, // calls the kernel as a program of another architecture: SystemCallArchitectures=
	"mlock":       mlock,       // a page: SystemCallFilter=~@memlock
	"nice":        nice,        // itself up: SystemCallFilter=~@resources
	"shm":         shm,         // leaves a segment with the key ARGUMENT: PrivateIPC=
	"attach":      attach,      // to that segment
	"connect":     connect,     // to the address ARGUMENT, which must answer ok
	"answer":      answer,      // ok on standard output, and wait until standard input ends
	"ready":       ready,       // tells systemd so: NotifyAccess=
	"alive":       alive,       // tells systemd so, again and again, while it can read the file ARGUMENT: WatchdogSec=

	"getenv": getenv,      // NAME:VALUE must be in the environment
	"unset":  unset,       // NAME must not be in the environment
	"in":     within,      // a file in each directory that the variable ARGUMENT names
	"cred":   cred,        // NAME:VALUE must be a credential
	"fds":    descriptors, // NAME,NAME... must be the names of the sockets that it is given
	"whoami": whoami,      // must be the user ARGUMENT
	"cwd":    cwd,         // must be the working directory
	"name":   rename,      // the process ARGUMENT
	"miss":   miss,        // ARGUMENT files that are not there, which keeps a witness busy
	"sleep":  sleep,
	"wait":   func(string) error { _, err := io.Copy(io.Discard, os.Stdin); return err },
	"exit":   quit, // with the status ARGUMENT
}

// act does one act and says how it went.
func act(word string) error {
	name, arg, _ := strings.Cut(word, "=")
	do, ok := acts[name]
	if !ok {
		return fmt.Errorf("no act %q", name)
	}
	if err := do(arg); err != nil {
		return fmt.Errorf("%s: %w", word, err)
	}
	fmt.Fprintf(os.Stderr, "trap: %s: ok\n", word)
	return nil
}

// run runs a program; blanks separate its arguments from it.
func run(program string) error {
	args := strings.Split(program, ",")
	c := exec.Command(args[0], args[1:]...)
	c.Stderr = os.Stderr
	return c.Run()
}

func mount(dir string) error {
	if err := unix.Mount("trap", dir, "tmpfs", 0, ""); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "here"), nil, 0o644)
}

func wx(string) error {
	page, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC,
		unix.MAP_ANON|unix.MAP_PRIVATE)
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
	"mnt": unix.CLONE_NEWNS, "uts": unix.CLONE_NEWUTS, "ipc": unix.CLONE_NEWIPC, "net": unix.CLONE_NEWNET,
	"user": unix.CLONE_NEWUSER,
}

func mapped(string) error {
	c := exec.Command("/proc/self/exe", "once")
	root := []syscall.SysProcIDMap{{Size: 1}}
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER, UidMappings: root, GidMappings: root}
	return c.Run()
}

// unshare does so in a child, which exits at once.
func unshare(name string) error {
	c := exec.Command("/proc/self/exe", "once")
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

// personality asks for addresses without randomization, as debuggers and some databases do, and takes it back.
func personality(string) error {
	const noRandomize = 0x0040000
	old, _, errno := unix.Syscall(unix.SYS_PERSONALITY, noRandomize, 0, 0)
	if errno != 0 {
		return fmt.Errorf("personality: %w", errno)
	}
	_, _, errno = unix.Syscall(unix.SYS_PERSONALITY, old, 0, 0)
	if errno != 0 {
		return fmt.Errorf("personality: %w", errno)
	}
	return nil
}

func become(id string) error {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return err
	}
	c := exec.Command("/proc/self/exe", "once")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{
		Uid: uint32(n), Gid: uint32(n),
		NoSetGroups: true,
	}}
	return c.Run()
}

func lowPort(port string) error {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	return l.Close()
}

func port(number string) error { return more("127.0.0.1:" + number) }

func more(address string) error {
	l, err := listenOn(address)
	if err == nil {
		go serveOn(l)
	}
	return err
}

func hostname(string) error { return unix.Sethostname([]byte("trap")) }

func keyctl(string) error {
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_PROCESS_KEYRING, true)
	return err
}

func clock(string) error {
	_, err := unix.Adjtimex(&unix.Timex{})
	return err
}

// foreignCall calls the kernel as a program of another architecture would: on x86-64 one for x32, which need not be able to
// run; elsewhere, or with the argument 32, one for the 32-bit mode. That the kernel knows no such programs is an answer too.
func foreignCall(mode string) error {
	const x32 = 0x40000000
	if runtime.GOARCH == "amd64" && mode != "32" {
		if _, _, errno := unix.RawSyscall(x32|unix.SYS_GETPID, 0, 0, 0); errno != 0 && errno != unix.ENOSYS {
			return errno
		}
		return nil
	}
	fd, err := unix.MemfdCreate("trap", 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, elf32.Program("/")); err != nil {
		return err
	}
	if err := exec.Command("/proc/self/fd/" + strconv.Itoa(fd)).Run(); !errors.Is(err, unix.ENOEXEC) {
		return err
	}
	return nil
}

func subgroup(string) error {
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	_, path, _ := strings.Cut(strings.TrimSpace(string(own)), "::")
	return mkdir(filepath.Join("/sys/fs/cgroup", path, "trap"))
}

func mlock(string) error { return unix.Mlock(make([]byte, os.Getpagesize())) }

func nice(string) error { return unix.Setpriority(unix.PRIO_PROCESS, 0, 1) }

func shm(key string) error {
	n, err := strconv.Atoi(key)
	if err != nil {
		return err
	}
	_, err = unix.SysvShmGet(n, os.Getpagesize(), unix.IPC_CREAT|0o600)
	return err
}

func attach(key string) error {
	n, err := strconv.Atoi(key)
	if err != nil {
		return err
	}
	_, err = unix.SysvShmGet(n, os.Getpagesize(), 0)
	return err
}

func connect(address string) error {
	c, err := net.DialTimeout("tcp", address, 2*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	said, err := io.ReadAll(c)
	if err == nil && string(said) != "ok\n" {
		err = fmt.Errorf("said %q", said)
	}
	return err
}

func answer(string) error {
	if _, err := fmt.Println("ok"); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

func ready(string) error { return notify("READY=1") }

// alive is for a child, which has nothing else to do.
func alive(file string) error {
	if err := notify("READY=1"); err != nil {
		return err
	}
	for ; ; time.Sleep(100 * time.Millisecond) {
		if _, err := os.ReadFile(file); err != nil {
			continue
		}
		if err := notify("WATCHDOG=1"); err != nil {
			return err
		}
	}
}

func getenv(arg string) error {
	name, want, _ := strings.Cut(arg, ":")
	if got := os.Getenv(name); got != want {
		return fmt.Errorf("is %q", got)
	}
	return nil
}

func unset(name string) error {
	if got, ok := os.LookupEnv(name); ok {
		return fmt.Errorf("is %q", got)
	}
	return nil
}

func within(name string) error {
	dirs := filepath.SplitList(os.Getenv(name))
	if len(dirs) == 0 {
		return errors.New("is not set")
	}
	for _, dir := range dirs {
		if err := write(dir); err != nil {
			return err
		}
	}
	return nil
}

func cred(arg string) error {
	name, want, _ := strings.Cut(arg, ":")
	got, err := os.ReadFile(filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), name))
	if err == nil && strings.TrimSpace(string(got)) != want {
		err = fmt.Errorf("is %q", got)
	}
	return err
}

func whoami(name string) error {
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil && os.Getenv("USER") != name { // the user database of systemd(8) needs a C library
		return fmt.Errorf("is %q: %w", os.Getenv("USER"), err)
	}
	if err == nil && !slices.Contains([]string{u.Username, u.Uid}, name) {
		return fmt.Errorf("is %s (%s)", u.Username, u.Uid)
	}
	return nil
}

// descriptors looks at the names that systemd gave the descriptors that it passed, in whatever order; sd_listen_fds(3).
func descriptors(want string) error {
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	slices.Sort(names)
	if got := strings.Join(slices.Compact(names), ","); got != want {
		return fmt.Errorf("is %s", got)
	}
	return nil
}

func sleep(arg string) error {
	d, err := time.ParseDuration(arg)
	time.Sleep(d)
	return err
}

func miss(arg string) error {
	n, err := strconv.Atoi(arg)
	for i := range n {
		_ = unix.Access("/none/"+strconv.Itoa(i), unix.F_OK)
	}
	return err
}

func quit(status string) error {
	n, _ := strconv.Atoi(status)
	os.Exit(n)
	return nil
}
