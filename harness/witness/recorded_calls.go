package witness

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

//go:generate go run ./gen zz_numbers.go

// call says what is recorded of a system call. Arguments are counted from 1; 0 is none.
type call struct {
	Name string
	// Path is the argument with a path, relative to the directory of the descriptor in argument Dir. Without a Path,
	// the call is about the file of that descriptor.
	Path, Dir int
	// Text says that Path is recorded as it is and not resolved: the target of a link, the source of a mount.
	Text bool
	// To and ToDir are a second path, of a rename or a link.
	To, ToDir int
	// Data is an argument that points to a structure, whose beginning is recorded instead of a path. Size is the
	// argument with its length; without it, 64 bytes are recorded.
	Data, Size int
	// Scalars are the arguments that are plain numbers, of which 32 bits are recorded. All others are addresses and
	// descriptors, which differ from run to run.
	Scalars []int
	// Errnos are recorded besides the usual ones.
	Errnos []unix.Errno
}

// usual are the errors that restrictions can cause in any call.
var usual = []unix.Errno{
	unix.EPERM, unix.ENOENT, unix.ENXIO, unix.EACCES, unix.EXDEV, unix.ENODEV, unix.EROFS, unix.ENOSYS, unix.EOVERFLOW,
	unix.EPROTONOSUPPORT, unix.EOPNOTSUPP, unix.EAFNOSUPPORT, unix.EADDRNOTAVAIL, unix.ENETDOWN, unix.ENETUNREACH,
	unix.EHOSTUNREACH, unix.ENOKEY,
}

// Errors that are ordinary in most calls, and a sign of a restriction in some.
var (
	unmapped = []unix.Errno{unix.EINVAL}                             // an id that the user namespace does not have
	busy     = []unix.Errno{unix.EBUSY}                              // a mount point cannot be moved away
	noTasks  = []unix.Errno{unix.EAGAIN, unix.ENOSPC, unix.EUSERS}   // no more tasks or namespaces
	noMemory = []unix.Errno{unix.EAGAIN, unix.ENOMEM}                // no more locked memory
	noTarget = []unix.Errno{unix.ESRCH}                              // a process that cannot be seen
	noPeer   = []unix.Errno{unix.ECONNREFUSED, unix.EADDRNOTAVAIL}   // an abstract socket of another network namespace
	noCode   = []unix.Errno{unix.EINVAL, unix.ENOEXEC, unix.ELIBBAD} // a program that cannot be run
)

// calls is sorted by name. Calls without a row are recorded only by name and error.
var calls = []call{
	{Name: "access", Path: 1, Scalars: []int{2}},
	{Name: "acct", Path: 1},
	{Name: "bind", Data: 2, Size: 3},
	{Name: "bpf", Scalars: []int{1}},
	{Name: "capset", Data: 2},
	{Name: "chdir", Path: 1},
	{Name: "chmod", Path: 1, Scalars: []int{2}},
	{Name: "chown", Path: 1, Scalars: []int{2, 3}, Errnos: unmapped},
	{Name: "chroot", Path: 1},
	{Name: "clock_adjtime", Scalars: []int{1}},
	{Name: "clock_settime", Scalars: []int{1}},
	{Name: "clone", Scalars: []int{1}, Errnos: noTasks},
	{Name: "clone3", Data: 1, Size: 2, Errnos: noTasks},
	{Name: "connect", Data: 2, Size: 3, Errnos: noPeer},
	{Name: "creat", Path: 1, Scalars: []int{2}},
	{Name: "execve", Path: 1, Errnos: noCode},
	{Name: "execveat", Path: 2, Dir: 1, Errnos: noCode},
	{Name: "faccessat", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "faccessat2", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "fallocate", Dir: 1},
	{Name: "fanotify_mark", Path: 5, Dir: 4, Scalars: []int{2}},
	{Name: "fchdir", Dir: 1},
	{Name: "fchmod", Dir: 1, Scalars: []int{2}},
	{Name: "fchmodat", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "fchmodat2", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "fchown", Dir: 1, Scalars: []int{2, 3}, Errnos: unmapped},
	{Name: "fchownat", Path: 2, Dir: 1, Scalars: []int{3, 4}, Errnos: unmapped},
	{Name: "fcntl", Scalars: []int{2}},
	{Name: "fork", Errnos: noTasks},
	{Name: "fsetxattr", Dir: 1},
	{Name: "fstatfs", Dir: 1},
	{Name: "ftruncate", Dir: 1},
	{Name: "futimesat", Path: 2, Dir: 1},
	{Name: "getxattr", Path: 1},
	{Name: "getxattrat", Path: 2, Dir: 1},
	{Name: "inotify_add_watch", Path: 2},
	{Name: "ioctl", Dir: 1, Scalars: []int{2}},
	{Name: "ioprio_set", Scalars: []int{1, 3}},
	{Name: "keyctl", Scalars: []int{1}},
	{Name: "kill", Scalars: []int{2}, Errnos: noTarget},
	{Name: "lchown", Path: 1, Scalars: []int{2, 3}, Errnos: unmapped},
	{Name: "lgetxattr", Path: 1},
	{Name: "link", Path: 1, To: 2},
	{Name: "linkat", Path: 2, Dir: 1, To: 4, ToDir: 3},
	{Name: "listxattr", Path: 1},
	{Name: "listxattrat", Path: 2, Dir: 1},
	{Name: "llistxattr", Path: 1},
	{Name: "lremovexattr", Path: 1},
	{Name: "lsetxattr", Path: 1},
	{Name: "lstat", Path: 1},
	{Name: "mkdir", Path: 1, Scalars: []int{2}},
	{Name: "mkdirat", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "mknod", Path: 1, Scalars: []int{2}},
	{Name: "mknodat", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "mlock", Errnos: noMemory},
	{Name: "mlock2", Errnos: noMemory},
	{Name: "mlockall", Errnos: noMemory},
	{Name: "mmap", Scalars: []int{3, 4}, Errnos: []unix.Errno{unix.EAGAIN}},
	{Name: "mount", Path: 1, Text: true, To: 2, Scalars: []int{4}},
	{Name: "mount_setattr", Path: 2, Dir: 1},
	{Name: "move_mount", Path: 2, Dir: 1, To: 4, ToDir: 3},
	{Name: "mprotect", Scalars: []int{3}},
	{Name: "mq_open", Path: 1, Text: true, Scalars: []int{2}},
	{Name: "mq_unlink", Path: 1, Text: true},
	{Name: "name_to_handle_at", Path: 2, Dir: 1},
	{Name: "newfstatat", Path: 2, Dir: 1},
	{Name: "open", Path: 1, Scalars: []int{2, 3}},
	{Name: "open_tree", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "open_tree_attr", Path: 2, Dir: 1, Scalars: []int{3}},
	{Name: "openat", Path: 2, Dir: 1, Scalars: []int{3, 4}},
	{Name: "openat2", Path: 2, Dir: 1},
	{Name: "personality", Scalars: []int{1}},
	{Name: "pidfd_open", Errnos: noTarget},
	{Name: "pidfd_send_signal", Scalars: []int{2}, Errnos: noTarget},
	{Name: "pivot_root", Path: 1, To: 2},
	{Name: "pkey_mprotect", Scalars: []int{3}},
	{Name: "prctl", Scalars: []int{1}},
	{Name: "prlimit64", Scalars: []int{2}},
	{Name: "ptrace", Scalars: []int{1}, Errnos: noTarget},
	{Name: "quotactl", Path: 2, Scalars: []int{1}},
	{Name: "readlink", Path: 1},
	{Name: "readlinkat", Path: 2, Dir: 1},
	{Name: "reboot", Scalars: []int{3}},
	{Name: "removexattr", Path: 1},
	{Name: "removexattrat", Path: 2, Dir: 1},
	{Name: "rename", Path: 1, To: 2, Errnos: busy},
	{Name: "renameat", Path: 2, Dir: 1, To: 4, ToDir: 3, Errnos: busy},
	{Name: "renameat2", Path: 2, Dir: 1, To: 4, ToDir: 3, Errnos: busy},
	{Name: "rmdir", Path: 1, Errnos: busy},
	{Name: "sched_setattr", Data: 2},
	{Name: "sched_setscheduler", Scalars: []int{2}},
	{Name: "seccomp", Scalars: []int{1, 2}},
	{Name: "sendto", Data: 5, Size: 6},
	{Name: "setfsgid", Scalars: []int{1}, Errnos: unmapped},
	{Name: "setfsuid", Scalars: []int{1}, Errnos: unmapped},
	{Name: "setgid", Scalars: []int{1}, Errnos: unmapped},
	{Name: "setgroups", Scalars: []int{1}, Errnos: unmapped},
	{Name: "setns", Scalars: []int{2}},
	{Name: "setpriority", Scalars: []int{1, 3}},
	{Name: "setregid", Scalars: []int{1, 2}, Errnos: unmapped},
	{Name: "setresgid", Scalars: []int{1, 2, 3}, Errnos: unmapped},
	{Name: "setresuid", Scalars: []int{1, 2, 3}, Errnos: unmapped},
	{Name: "setreuid", Scalars: []int{1, 2}, Errnos: unmapped},
	{Name: "setrlimit", Scalars: []int{1}},
	{Name: "setsockopt", Scalars: []int{2, 3}},
	{Name: "setuid", Scalars: []int{1}, Errnos: append(slices.Clone(unmapped), unix.EAGAIN)},
	{Name: "setxattr", Path: 1},
	{Name: "setxattrat", Path: 2, Dir: 1},
	{Name: "shmat", Scalars: []int{3}},
	{Name: "socket", Scalars: []int{1, 2, 3}},
	{Name: "socketpair", Scalars: []int{1, 2, 3}},
	{Name: "stat", Path: 1},
	{Name: "statfs", Path: 1},
	{Name: "statx", Path: 2, Dir: 1},
	{Name: "swapoff", Path: 1},
	{Name: "swapon", Path: 1},
	{Name: "symlink", Path: 1, Text: true, To: 2},
	{Name: "symlinkat", Path: 1, Text: true, To: 3, ToDir: 2},
	{Name: "syslog", Scalars: []int{1}},
	{Name: "tgkill", Scalars: []int{3}, Errnos: noTarget},
	{Name: "tkill", Scalars: []int{2}, Errnos: noTarget},
	{Name: "truncate", Path: 1},
	{Name: "umount2", Path: 1, Scalars: []int{2}},
	{Name: "unlink", Path: 1, Errnos: busy},
	{Name: "unlinkat", Path: 2, Dir: 1, Scalars: []int{3}, Errnos: busy},
	{Name: "unshare", Scalars: []int{1}, Errnos: append(slices.Clone(unmapped), noTasks...)},
	{Name: "utime", Path: 1},
	{Name: "utimensat", Path: 2, Dir: 1},
	{Name: "utimes", Path: 1},
	{Name: "vfork", Errnos: noTasks},
	{Name: "write", Dir: 1},
}

// callOf returns the row of a call; a call without one has only its name.
func callOf(name string) call {
	byName := func(c call, name string) int { return strings.Compare(c.Name, name) }
	i, found := slices.BinarySearchFunc(calls, name, byName)
	if !found {
		return call{Name: name}
	}
	return calls[i]
}
