package witness_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"temper/harness/witness"
)

// The tests run this test binary again inside a cgroup, where it provokes one denial and ends.
func TestMain(m *testing.M) {
	if name := os.Getenv("TEMPER_PROVOKE"); name != "" {
		runtime.LockOSThread()
		if err := provocations[name](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// wants returns an error unless a call ended as it should.
func wants(want, got error) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

// provocations each do something that the kernel refuses, and check that it did.
var provocations = map[string]func(args []string) error{
	"nothing": func([]string) error { return nil },
	"missing": func(a []string) error {
		_, err := unix.Open(a[0], unix.O_RDONLY, 0)
		return wants(unix.ENOENT, err)
	},
	"relative": func(a []string) error {
		if err := unix.Chdir(a[0]); err != nil {
			return err
		}
		dir, err := unix.Open("sub", unix.O_PATH, 0)
		if err != nil {
			return err
		}
		_, err = unix.Openat(dir, "nothing", unix.O_RDONLY, 0)
		var stat unix.Stat_t
		err2 := unix.Fstatat(unix.AT_FDCWD, "here/nothing", &stat, 0)
		time.Sleep(100 * time.Millisecond) // the witness looks the directories up
		return firstOf(wants(unix.ENOENT, err), wants(unix.ENOENT, err2))
	},
	"readonly": func(a []string) error {
		_, err := unix.Open(a[0]+"/file", unix.O_WRONLY|unix.O_CREAT, 0o600)
		err2 := unix.Rename(a[0]+"/a", a[0]+"/b")
		return firstOf(wants(unix.EROFS, err), wants(unix.EROFS, err2))
	},
	"flood": func(a []string) error {
		n, err := strconv.Atoi(a[0])
		for i := 0; i < n && err == nil; i++ {
			err = wants(unix.ENOENT, unix.Access("/flood/"+strconv.Itoa(i), 0))
		}
		return err
	},
	"setuid": func([]string) error { return wants(unix.EPERM, unix.Setreuid(-1, 0)) },
	"denied": func(a []string) error {
		_, err := unix.Open(a[0], unix.O_RDONLY, 0)
		return wants(unix.EACCES, err)
	},
	"powerless": func(a []string) error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&header, &none[0]); err != nil {
			return err
		}
		_, err := unix.Open(a[0], unix.O_RDONLY, 0)
		return wants(unix.EACCES, err)
	},
	"regain": func([]string) error {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var sets [2]unix.CapUserData
		if err := unix.Capset(&header, &sets[0]); err != nil {
			return err
		}
		sets[0].Permitted, sets[1].Permitted = 1<<unix.CAP_SYS_CHROOT, 1<<(unix.CAP_AUDIT_READ-32)
		return wants(unix.EPERM, unix.Capset(&header, &sets[0]))
	},
	"read": func(a []string) error {
		_, err := os.ReadFile(a[0])
		return err
	},
	"append": func(a []string) error {
		f, err := os.OpenFile(a[0], os.O_WRONLY|os.O_APPEND, 0)
		return firstOf(err, f.Close())
	},
	"write": func(a []string) error {
		_, err := unix.Open(a[0], unix.O_WRONLY, 0)
		return wants(unix.EACCES, err)
	},
	"noatime": func(a []string) error {
		_, err := unix.Open(a[0], unix.O_RDONLY|unix.O_NOATIME, 0)
		return wants(unix.EPERM, err)
	},
	"lock": func([]string) error {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 4096, Max: 4096}); err != nil {
			return err
		}
		return wants(unix.ENOMEM, unix.Mlock(make([]byte, 1<<20)))
	},
	"chown": func(a []string) error { return wants(unix.EPERM, unix.Chown(a[0], 0, 0)) },
	"bind": func([]string) error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return wants(unix.EADDRNOTAVAIL, unix.Bind(fd, &unix.SockaddrInet4{Port: 4321, Addr: [4]byte{192, 0, 2, 7}}))
	},
	"connect": func(a []string) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: a[0]})
		err2 := unix.Connect(fd, &unix.SockaddrUnix{Name: "@temper-nobody"})
		return firstOf(wants(unix.ENOENT, err), wants(unix.ECONNREFUSED, err2))
	},
	"filter": func([]string) error {
		err := install(rule{unix.SYS_SOCKET, seccompErrno | uint32(unix.EAFNOSUPPORT)},
			rule{unix.SYS_UNSHARE, seccompErrno | uint32(unix.EPERM)})
		if err != nil {
			return err
		}
		_, err = unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
		return firstOf(
			wants(unix.EAFNOSUPPORT, err),
			wants(unix.EPERM, unix.Unshare(unix.CLONE_NEWUSER|unix.CLONE_NEWNET)),
		)
	},
	"kill": func([]string) error {
		if err := install(rule{unix.SYS_ACCT, seccompKill}); err != nil {
			return err
		}
		return fmt.Errorf("survived: %w", unix.Acct(""))
	},
	"clone3": func([]string) error {
		args := struct{ Flags, Pidfd, ChildTid, ParentTid, Signal, Stack, StackSize, TLS uint64 }{
			Flags: unix.CLONE_NEWUSER | unix.CLONE_FS,
		}
		_, _, err := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), 64, 0)
		if err == 0 {
			return fmt.Errorf("clone3 with impossible flags succeeded")
		}
		if err := install(rule{unix.SYS_CLONE3, seccompErrno | uint32(unix.ENOSYS)}); err != nil {
			return err
		}
		_, _, err = unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), 64, 0)
		return wants(unix.ENOSYS, err)
	},
	"realtime": func([]string) error {
		if err := install(rule{unix.SYS_SCHED_SETSCHEDULER, seccompErrno | uint32(unix.EPERM)}); err != nil {
			return err
		}
		param := int32(1)
		_, _, err := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_RR, uintptr(unsafe.Pointer(&param)))
		return wants(unix.EPERM, err)
	},
	"start": func(a []string) error {
		_, err := witness.Start(a[0])
		if !errors.Is(err, witness.ErrUnsupported) {
			return fmt.Errorf("got %v, want an error that wraps ErrUnsupported", err)
		}
		return nil
	},
	"noexec": func(a []string) error { return wants(unix.EACCES, unix.Exec(a[0], []string{"x"}, nil)) },
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	seccompErrno = 0x00050000
	seccompKill  = 0x80000000
	seccompAllow = 0x7fff0000
)

// rule is an answer of a seccomp filter to one call.
type rule struct {
	number uint32
	action uint32
}

// install makes the calling thread subject to a seccomp filter.
func install(rules ...rule) error {
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}}
	for _, r := range rules {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: r.number},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: r.action})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: seccompAllow})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}

// readOnly mounts an empty read-only file system and returns where.
func readOnly(t *testing.T) string {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_RDONLY, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// file makes a file of a mode in a directory that everybody may search.
func file(t *testing.T, mode os.FileMode) string {
	dir, err := os.MkdirTemp("/tmp", "temper-witness-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name := filepath.Join(dir, "file")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(name, nil, mode)); err != nil {
		t.Fatal(err)
	}
	return name
}
