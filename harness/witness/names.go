package witness

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// families has the address families by number, as RestrictAddressFamilies= calls them.
var families = map[uint64]string{
	unix.AF_UNSPEC: "AF_UNSPEC", unix.AF_UNIX: "AF_UNIX", unix.AF_INET: "AF_INET", unix.AF_AX25: "AF_AX25",
	unix.AF_IPX: "AF_IPX", unix.AF_APPLETALK: "AF_APPLETALK", unix.AF_NETROM: "AF_NETROM", unix.AF_BRIDGE: "AF_BRIDGE",
	unix.AF_ATMPVC: "AF_ATMPVC", unix.AF_X25: "AF_X25", unix.AF_INET6: "AF_INET6", unix.AF_ROSE: "AF_ROSE",
	unix.AF_DECnet: "AF_DECnet", unix.AF_NETBEUI: "AF_NETBEUI", unix.AF_SECURITY: "AF_SECURITY", unix.AF_KEY: "AF_KEY",
	unix.AF_NETLINK: "AF_NETLINK", unix.AF_PACKET: "AF_PACKET", unix.AF_ASH: "AF_ASH", unix.AF_ECONET: "AF_ECONET",
	unix.AF_ATMSVC: "AF_ATMSVC", unix.AF_RDS: "AF_RDS", unix.AF_SNA: "AF_SNA", unix.AF_IRDA: "AF_IRDA",
	unix.AF_PPPOX: "AF_PPPOX", unix.AF_WANPIPE: "AF_WANPIPE", unix.AF_LLC: "AF_LLC", unix.AF_IB: "AF_IB",
	unix.AF_MPLS: "AF_MPLS", unix.AF_CAN: "AF_CAN", unix.AF_TIPC: "AF_TIPC", unix.AF_BLUETOOTH: "AF_BLUETOOTH",
	unix.AF_IUCV: "AF_IUCV", unix.AF_RXRPC: "AF_RXRPC", unix.AF_ISDN: "AF_ISDN", unix.AF_PHONET: "AF_PHONET",
	unix.AF_IEEE802154: "AF_IEEE802154", unix.AF_CAIF: "AF_CAIF", unix.AF_ALG: "AF_ALG", unix.AF_NFC: "AF_NFC",
	unix.AF_VSOCK: "AF_VSOCK", unix.AF_KCM: "AF_KCM", unix.AF_QIPCRTR: "AF_QIPCRTR", unix.AF_SMC: "AF_SMC",
	unix.AF_XDP: "AF_XDP", unix.AF_MCTP: "AF_MCTP",
}

func familyName(n uint64) string {
	n = uint64(uint32(n))
	if name, known := families[n]; known {
		return name
	}
	return fmt.Sprintf("AF_%d", n)
}

// needs says which capability the kernel asks for in a call, where it answers EPERM without; see capabilities(7).
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
	"CAP_SYS_BOOT":       {"kexec_file_load", "kexec_load", "reboot"},
	"CAP_SYS_CHROOT":     {"chroot", "setns"},
	"CAP_SYS_MODULE":     {"delete_module", "finit_module", "init_module"},
	"CAP_SYS_NICE":       {"ioprio_set", "mbind", "migrate_pages", "move_pages", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "setpriority"},
	"CAP_SYS_PACCT":      {"acct"},
	"CAP_SYS_PTRACE":     {"kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace", "userfaultfd"},
	"CAP_SYS_RAWIO":      {"ioperm", "iopl"},
	"CAP_SYS_RESOURCE":   {"prlimit64", "setrlimit"},
	"CAP_SYS_TIME":       {"adjtimex", "clock_adjtime", "clock_settime", "settimeofday"},
	"CAP_SYS_TTY_CONFIG": {"vhangup"},
	"CAP_SYSLOG":         {"syslog"},
}

// asked is needs the other way round, each list sorted.
var asked = invert(needs)
