package witness

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/values"
)

// mappings are the files by which a user namespace gets its ids; user_namespaces(7).
var mappings = map[string][]string{"uid_map": {"CAP_SETUID", "CAP_SETFCAP"}, "gid_map": {"CAP_SETGID", "CAP_SETFCAP"}}

// Capabilities are the capabilities each of which could have made the call succeed, if it failed for lack of one.
func (d Denial) Capabilities() []string {
	switch {
	case d.Errno == "EPERM":
		return capabilities(d)
	case d.Errno == "EACCES" && d.Syscall == "setpriority":
		return accessCapabilities(d)
	}
	return nil
}

// SuspectedCapabilities are the capabilities that the call may have lacked by its name and error. They can be more than
// Capabilities: a system call filter of a container refuses a call before the kernel checks capabilities.
func (d Denial) SuspectedCapabilities() []string {
	d.LackedKnown = false
	return d.Capabilities()
}

// capabilities are the capabilities that could have made a call succeed that ended with EPERM: those of the table needs
// that the process lacked. If there are none, they are all that the call asked for and lacked, unless the call changes
// the memory of the process: such calls ask for CAP_SYS_ADMIN only to raise a limit.
func capabilities(d Denial) []string {
	const socketIoctls = 0x89 // linux/sockios.h
	suspected := asked[d.Syscall]
	switch {
	case d.Wanted() != 0: // all of them, or else the capability by which it may want more than it has
		return append(d.Wanted().Names(), d.lacked([]string{"CAP_SETPCAP"})...)
	case d.Syscall == "write":
		suspected = mappings[path.Base(d.Path)]
	case d.Syscall == "ioctl" && d.Args[1]>>8 == socketIoctls:
		suspected = []string{"CAP_NET_ADMIN"}
	case d.Syscall == "ioctl":
		suspected = []string{"CAP_SYS_ADMIN", "CAP_SYS_RAWIO"}
	}
	if lacked := d.lacked(suspected); len(lacked) > 0 || !d.LackedKnown || slices.Contains(memoryCalls, d.Syscall) {
		return lacked
	}
	return d.Lacked.Names()
}

// accessCapabilities are the capabilities that could have made a call succeed that ended with EACCES. For root the
// narrower one comes first: the kernel asks for CAP_DAC_READ_SEARCH before CAP_DAC_OVERRIDE, if it is enough. Other
// users seldom have either, and mostly rely on a group.
func accessCapabilities(d Denial) []string {
	switch {
	case d.Syscall == "bind" && !strings.HasPrefix(d.Path, "/"):
		return d.lacked([]string{"CAP_NET_BIND_SERVICE"})
	case d.Path != "" && d.Root && (d.LackedKnown || d.onlyReads()):
		return d.lacked([]string{"CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE"})
	case d.Path != "":
		return d.lacked([]string{"CAP_DAC_OVERRIDE"})
	case d.Syscall == "setpriority":
		return d.lacked([]string{"CAP_SYS_NICE"})
	}
	return nil
}

// lockCapability is the capability without which a process can lock memory only up to a limit.
func lockCapability(d Denial) []string {
	if d.Syscall == "mmap" && d.Args[3]&unix.MAP_LOCKED == 0 {
		return nil
	}
	return d.lacked([]string{"CAP_IPC_LOCK"})
}

// lacked are those of the capabilities that the call asked for and the process did not have; all of them if the kernel
// did not report that.
func (d Denial) lacked(names []string) []string {
	if !d.LackedKnown {
		return names
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		c, ok := values.ParseCapability(name)
		return !ok || !d.Lacked.Has(c)
	})
}

// onlyReads reports whether the call only finds or reads its file.
func (d Denial) onlyReads() bool {
	switch d.Syscall {
	case "open":
		return d.Args[1]&(unix.O_ACCMODE|unix.O_CREAT|unix.O_TRUNC) == unix.O_RDONLY
	case "openat":
		return d.Args[2]&(unix.O_ACCMODE|unix.O_CREAT|unix.O_TRUNC) == unix.O_RDONLY
	case "access":
		return d.Args[1]&(unix.W_OK|unix.X_OK) == 0
	case "faccessat", "faccessat2":
		return d.Args[2]&(unix.W_OK|unix.X_OK) == 0
	}
	return slices.Contains(readCalls, d.Syscall)
}

// readCalls are other calls that only find or read a file.
var readCalls = []string{
	"chdir", "getxattr", "inotify_add_watch", "lgetxattr", "listxattr", "llistxattr", "lstat", "name_to_handle_at",
	"newfstatat", "readlink", "readlinkat", "stat", "statfs", "statx",
}

func invert(needs map[string][]string) map[string][]string {
	asked := map[string][]string{}
	for capability, calls := range needs {
		for _, call := range calls {
			asked[call] = append(asked[call], capability)
		}
	}
	for _, list := range asked {
		slices.Sort(list)
	}
	return asked
}

// needs lists the calls that end with EPERM without a capability; see capabilities(7).
var needs = map[string][]string{
	"CAP_BPF":             {"bpf"},
	"CAP_CHOWN":           chownCalls,
	"CAP_DAC_READ_SEARCH": {"open_by_handle_at"},
	"CAP_FOWNER": {
		"chmod", "fchmod", "fchmodat", "fchmodat2", "futimesat", "rename", "renameat", "renameat2", "rmdir", "unlink",
		"unlinkat", "utime", "utimensat", "utimes",
	},
	"CAP_IPC_LOCK":  {"mlock", "mlock2", "mlockall"},
	"CAP_IPC_OWNER": {"msgctl", "semctl", "shmctl"},
	"CAP_KILL":      {"kill", "pidfd_send_signal", "tgkill", "tkill"},
	"CAP_MKNOD":     {"mknod", "mknodat"},
	"CAP_NET_ADMIN": {"setsockopt"},
	"CAP_NET_RAW":   {"socket"},
	"CAP_PERFMON":   {"perf_event_open"},
	"CAP_SETFCAP":   {"fsetxattr", "lsetxattr", "setxattr", "setxattrat"},
	"CAP_SETGID":    {"setfsgid", "setgid", "setgroups", "setregid", "setresgid"},
	"CAP_SETPCAP":   {"capset", "prctl"},
	"CAP_SETUID":    {"setfsuid", "setresuid", "setreuid", "setuid"},
	"CAP_SYS_ADMIN": {
		"clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount",
		"mount_setattr", "move_mount", "open_tree", "open_tree_attr", "pivot_root", "quotactl", "quotactl_fd",
		"setdomainname", "sethostname", "setns", "swapoff", "swapon", "umount2", "unshare", "fsetxattr", "lsetxattr",
		"setxattr", "setxattrat",
	},
	"CAP_SYS_BOOT":   {"kexec_file_load", "kexec_load", "reboot"},
	"CAP_SYS_CHROOT": {"chroot", "setns"},
	"CAP_SYS_MODULE": {"delete_module", "finit_module", "init_module"},
	"CAP_SYS_NICE": {
		"ioprio_set", "mbind", "migrate_pages", "move_pages", "sched_setaffinity", "sched_setattr", "sched_setparam",
		"sched_setscheduler", "setpriority",
	},
	"CAP_SYS_PACCT": {"acct"},
	"CAP_SYS_PTRACE": {
		"kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace", "userfaultfd",
	},
	"CAP_SYS_RAWIO":      {"ioperm", "iopl"},
	"CAP_SYS_RESOURCE":   {"prlimit64", "setrlimit"},
	"CAP_SYS_TIME":       {"adjtimex", "clock_adjtime", "clock_settime", "settimeofday"},
	"CAP_SYS_TTY_CONFIG": {"vhangup"},
	"CAP_SYSLOG":         {"syslog"},
}

// asked lists the capabilities that each call needs, sorted. It is the inverse of needs.
var asked = invert(needs)
