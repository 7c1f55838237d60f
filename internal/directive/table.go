package directive

import (
	"slices"

	"temper/internal/refusal"
)

// Values that many rows share. Rank 0 is off. The values of a row go from the weakest to the strongest.
var (
	boolean  = []Value{{Name: "no"}, {Name: "yes", Rank: 1}}
	inverted = []Value{{Name: "yes"}, {Name: "no", Rank: 1}}
)

// apiMounts are the mounts of MountAPIVFS=yes. A directive that mounts something in /proc or /sys implies it. Seen with
// systemd 252, 257 and 262, not with 247.
var apiMounts = []Mount{
	{Path: "/run", Since: 248, Writable: true, Executable: true},
	{Path: "/dev", Since: 248, Writable: true, Executable: true},
	{Path: "/dev/shm", Since: 248, Writable: true, Executable: true},
	{Path: "/dev/mqueue", Since: 248, Writable: true},
	{Path: "/dev/pts", Since: 248, Writable: true},
	{Path: "/proc", Since: 248, Writable: true},
	{Path: "/sys/fs/cgroup", Since: 248, Writable: true},
}

// onlyWith returns mounts as those of one value, which is newer than they are.
func onlyWith(value string, mounts []Mount) []Mount {
	mounts = slices.Clone(mounts)
	for i := range mounts {
		mounts[i].Value, mounts[i].Since = value, 0
	}
	return mounts
}

// holdAll are the directories that hold nearly all that an empty file system hides. What is in /srv is there to be
// served.
var holdAll = []string{
	"/", "/etc", "/home", "/opt", "/root", "/run", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool",
}

// mountAgain is the way around all that systemd closes by mounts alone: seen with systemd 257, and not for a process in
// a user namespace of its own.
var mountAgain = Bypass{
	Capability: "CAP_SYS_ADMIN", Calls: []string{"mount", "umount2", "move_mount", "mount_setattr"},
	Why: "it can mount again what this closes, with CAP_SYS_ADMIN and the system calls of @mount",
}

// extended is where the images of systemd-sysext(8) and systemd-confext(8) show files.
var extended = []string{"/usr", "/opt", "/etc"}

// unitOnly are directives that the merge reads in units; most of them no profile can set; see testdata/directives.tsv.
var unitOnly = []unitDirective{
	{name: "RootDirectory", root: true, plus: true, mounts: apiMounts, unless: "MountAPIVFS"},
	{name: "RootImage", root: true, mounts: apiMounts, unless: "MountAPIVFS"},
	{name: "RootMStack", root: true, mounts: apiMounts, unless: "MountAPIVFS"},
	{name: "MountAPIVFS", mounts: apiMounts},
	{name: "RuntimeDirectory", makesIn: "/run"},
	{name: "StateDirectory", makesIn: "/var/lib"},
	{name: "CacheDirectory", makesIn: "/var/cache"},
	{name: "LogsDirectory", makesIn: "/var/log"},
	{name: "MountImages", images: true},
	{name: "ExtensionImages", shows: extended},
	{name: "ExtensionDirectories", shows: extended},
}

const (
	manExec      = "systemd.exec(5)"
	manResources = "systemd.resource-control(5)"
	manService   = "systemd.service(5)"
)

// table has the directives in the order in which a drop-in lists them: first the file system, then devices, the kernel,
// the network, privileges, system calls.
var table = []*Directive{
	{
		Name: "ProtectSystem", kind: ordered{}, Man: manExec,
		Values: []Value{
			{Name: "no"},
			{Name: "yes", Rank: 1},
			{Name: "full", Rank: 2},
			{Name: "strict", Since: 232, Rank: 3},
		},
		Paths: []PathEffect{
			{Path: "/usr", Mode: ReadOnly, Value: "yes", Upto: "full"},
			{Path: "/boot", Mode: ReadOnly, Value: "yes", Upto: "full"},
			{Path: "/efi", Mode: ReadOnly, Value: "yes", Upto: "full"},
			{Path: "/etc", Mode: ReadOnly, Value: "full", Upto: "full"},
			{Path: "/", Mode: ReadOnly, Value: "strict"},
		},
		Refuses: []refusal.Kind{refusal.PathReadOnly},
		Mounts: []Mount{
			{Path: "/proc", Value: "strict", Writable: true},
			{Path: "/sys", Value: "strict", Writable: true},
			{Path: "/dev", Value: "strict", Writable: true, Executable: true},
			{Path: "/home", Value: "strict", Writable: true, Executable: true},
			{Path: "/root", Value: "strict", Writable: true, Executable: true},
			{Path: "/run/user", Value: "strict", Writable: true, Executable: true},
		},
		Bypasses: []Bypass{mountAgain},
		Forbids: "write to the operating system; with strict, to anything but /dev, /proc, /sys, ReadWritePaths= " +
			"and, beside the directives that say so, /run",
		Breaks: "services that write outside their own directories, above all logs, pid files and /etc",
	},
	{
		Name: "ReadWritePaths", Aliases: []string{"ReadWriteDirectories"}, Since: 231, kind: openPathList{},
		With: "ProtectSystem", Man: manExec,
		Declares: []refusal.Kind{refusal.PathReadOnly, refusal.PathHidden},
		Lifts:    refusal.PathReadOnly,
		Undoes:   []string{"/", "/etc", "/usr", "/var", "/home", "/root", "/boot", "/var/lib"},
		Try:      Try{Home: true},
		Forbids:  "nothing: the exceptions from ProtectSystem=strict and ReadOnlyPaths=",
	},
	{
		Name: "ReadOnlyPaths", Aliases: []string{"ReadOnlyDirectories"}, Since: 231, kind: closedPathList{ReadOnly},
		Man:      manExec,
		Refuses:  []refusal.Kind{refusal.PathReadOnly},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "write below these paths", Breaks: "services that write there",
	},
	{
		Name: "InaccessiblePaths", Aliases: []string{"InaccessibleDirectories"}, Since: 231,
		kind:     closedPathList{Hidden},
		Man:      manExec,
		Refuses:  []refusal.Kind{refusal.PathHidden},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "see anything below these paths", Breaks: "services that read there",
	},
	{
		Name: "TemporaryFileSystem", Since: 238, kind: coverPathList{}, Man: manExec,
		Refuses:  []refusal.Kind{refusal.PathHidden, refusal.PathAbsent, refusal.PathReadOnly},
		Bypasses: []Bypass{mountAgain},
		Forbids: "see what is below these paths: each is an empty file system of its own, in which BindPaths= and " +
			"BindReadOnlyPaths= show what the service needs",
		Breaks: "services that read or write there",
	},
	{
		Name: "RootDirectory", kind: rootPath{}, Man: manExec, Mounts: apiMounts, Late: true,
		Refuses: []refusal.Kind{refusal.PathHidden, refusal.PathAbsent, refusal.PathReadOnly},
		Forbids: "see anything but what is below this directory, and what BindPaths= and BindReadOnlyPaths= show " +
			"there",
		Breaks: "services whose programs, libraries or data are not there",
	},
	{
		Name: "BindReadOnlyPaths", Since: 233, kind: bindPathList{}, With: "TemporaryFileSystem", Man: manExec,
		ResetsToo: "BindPaths",
		Gathers:   true,
		Undoes:    holdAll,
		Forbids:   "nothing: what it sees below TemporaryFileSystem= and in RootDirectory=, and cannot write",
	},
	{
		Name: "BindPaths", Since: 233, kind: bindPathList{writable: true}, With: "TemporaryFileSystem", Man: manExec,
		ResetsToo: "BindReadOnlyPaths",
		Gathers:   true,
		Undoes:    slices.Concat(holdAll, []string{"/srv"}),
		Forbids:   "nothing: what it sees below TemporaryFileSystem= and in RootDirectory=, and can write",
	},
	{
		Name: "NoExecPaths", Since: 248, kind: closedPathList{NoExec}, Man: manExec,
		Refuses:  []refusal.Kind{refusal.PathNoExec},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "execute files below these paths", Breaks: "helpers, interpreters and libraries that live there",
	},
	{
		Name: "ExecPaths", Since: 248, kind: openPathList{}, With: "NoExecPaths", Man: manExec,
		Undoes:  []string{"/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/var", "/home"},
		Forbids: "nothing: the exceptions from NoExecPaths=",
	},
	{
		Name: "ProtectHome", kind: ordered{}, Man: manExec,
		Values: []Value{
			{Name: "no"},
			{Name: "read-only", Rank: 1},
			{Name: "tmpfs", Since: 238, Rank: 2},
			{Name: "yes", Rank: 3},
		},
		Paths: []PathEffect{
			{Path: "/home", Mode: ReadOnly, Value: "read-only"},
			{Path: "/root", Mode: ReadOnly, Value: "read-only"},
			{Path: "/run/user", Mode: ReadOnly, Value: "read-only"},
			{Path: "/home", Mode: Hidden, Value: "tmpfs"},
			{Path: "/root", Mode: Hidden, Value: "tmpfs"},
			{Path: "/run/user", Mode: Hidden, Value: "tmpfs"},
		},
		Covers:   "tmpfs",
		Refuses:  []refusal.Kind{refusal.PathReadOnly, refusal.PathHidden},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "see /home, /root and /run/user", Breaks: "services with data or configuration in a home directory",
	},
	{
		Name: "PrivateTmp", kind: ordered{}, Man: manExec, Late: true,
		Values: []Value{{Name: "no"}, {Name: "yes", Rank: 1}, {Name: "disconnected", Since: 257, Rank: 2}},
		Paths: []PathEffect{
			{Path: "/tmp", Mode: Hidden, Value: "yes"},
			{Path: "/var/tmp", Mode: Hidden, Value: "yes"},
		},
		Mounts: []Mount{
			{Path: "/tmp", Writable: true, Executable: true},
			{Path: "/var/tmp", Writable: true, Executable: true},
		},
		Refuses:  []refusal.Kind{refusal.PathHidden, refusal.MountPoint},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "see the files and sockets of others in /tmp and /var/tmp",
		Breaks:   "sockets and caches shared through /tmp",
	},
	{
		Name: "PrivateMounts", Since: 239, kind: ordered{}, Values: boolean, Man: manExec,
		Trace:   NamespaceTrace("mnt"),
		Forbids: "let its mounts appear in the rest of the system", Breaks: "services that mount for others",
	},
	{
		Name: "ProtectProc", Since: 247, kind: ordered{}, Man: manExec, Mounts: apiMounts,
		Values: []Value{
			{Name: "default"},
			{Name: "noaccess", Rank: 1},
			{Name: "invisible", Rank: 2},
			{Name: "ptraceable", Rank: 3},
		},
		Trace:   Trace{Kind: MountOption, Name: "/proc", Value: "hidepid="},
		Refuses: []refusal.Kind{refusal.ProcessHidden},
		Bypasses: []Bypass{
			{
				RootGroup: true, Upto: "invisible",
				Why: "it is in group 0, from which only the value ptraceable hides a process",
			},
			{Capability: "CAP_SYS_PTRACE", Why: "it sees every process, with CAP_SYS_PTRACE"},
			mountAgain,
		},
		Forbids: "see the processes of other users in /proc",
		Breaks:  "monitoring, and services that look for other processes",
	},
	{
		Name: "ProcSubset", Since: 247, kind: ordered{}, Man: manExec, Mounts: apiMounts,
		Values:   []Value{{Name: "all"}, {Name: "pid", Rank: 1}},
		Paths:    []PathEffect{{Path: "/proc/sys", Mode: Hidden, Value: "pid"}},
		Refuses:  []refusal.Kind{refusal.ProcHidden},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "see anything in /proc but processes", Breaks: "readers of /proc/cpuinfo, /proc/meminfo, /proc/sys",
	},
	{
		Name: "ProtectControlGroups", Since: 232, kind: ordered{}, Man: manExec, Mounts: apiMounts,
		Values: []Value{
			{Name: "no"},
			{Name: "yes", Rank: 1},
			{Name: "private", Since: 257, Rank: 1},
			{Name: "strict", Since: 257, Rank: 2},
		},
		Paths:    []PathEffect{{Path: "/sys/fs/cgroup", Mode: ReadOnly, Value: "yes"}},
		Refuses:  []refusal.Kind{refusal.PathReadOnly},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "write to the control group tree", Breaks: "container managers",
	},
	{
		Name: "ProtectKernelTunables", Since: 232, kind: ordered{}, Values: boolean, Man: manExec, Mounts: apiMounts,
		Filters: true,
		Paths: []PathEffect{
			{Path: "/proc/sys", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/sysrq-trigger", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/latency_stats", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/mtrr", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/apm", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/acpi", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/timer_stats", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/asound", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/bus", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/fs", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/irq", Mode: ReadOnly, Value: "yes"},
			{Path: "/sys", Mode: ReadOnly, Value: "yes"},
			{Path: "/sys/fs/bpf", Mode: ReadOnly, Value: "yes"},
			{Path: "/sys/kernel/debug", Mode: ReadOnly, Value: "yes"},
			{Path: "/sys/kernel/tracing", Mode: ReadOnly, Value: "yes"},
			{Path: "/proc/kallsyms", Mode: Hidden, Value: "yes"},
			{Path: "/proc/kcore", Mode: Hidden, Value: "yes"},
		},
		Refuses:  []refusal.Kind{refusal.PathReadOnly, refusal.PathHidden},
		Bypasses: []Bypass{mountAgain},
		Forbids:  "change kernel variables in /proc and /sys", Breaks: "network and power managers",
	},
	{
		Name: "ProtectKernelModules", Since: 232, kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Implies: []Effect{
			{Directive: "CapabilityBoundingSet", Value: "~CAP_SYS_MODULE"},
			{Directive: "SystemCallFilter", Value: "~@module"},
		},
		Paths: []PathEffect{
			{Path: "/usr/lib/modules", Mode: Hidden, Value: "yes"},
			{Path: "/lib/modules", Mode: Hidden, Value: "yes"},
		},
		Refuses: []refusal.Kind{refusal.PathHidden, refusal.Capability, refusal.Syscall},
		Forbids: "load kernel modules", Breaks: "services that need modules not loaded yet",
	},
	{
		Name: "ProtectKernelLogs", Since: 244, kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Implies: []Effect{
			{Directive: "CapabilityBoundingSet", Value: "~CAP_SYSLOG"},
			{Directive: "SystemCallFilter", Value: "~syslog"},
		},
		Paths: []PathEffect{
			{Path: "/dev/kmsg", Mode: Hidden, Value: "yes"},
			{Path: "/proc/kmsg", Mode: Hidden, Value: "yes"},
		},
		Refuses: []refusal.Kind{refusal.PathHidden, refusal.Capability, refusal.Syscall},
		Forbids: "read or write the kernel log", Breaks: "log daemons that read /proc/kmsg or /dev/kmsg",
	},
	{
		Name: "ProtectClock", Since: 245, kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Implies: []Effect{
			{Directive: "CapabilityBoundingSet", Value: "~CAP_SYS_TIME CAP_WAKE_ALARM"},
			{Directive: "SystemCallFilter", Value: "~@clock"},
		},
		Widens:  []Effect{{Directive: "DeviceAllow", Value: "char-rtc r"}},
		Trace:   SeccompTrace,
		Refuses: []refusal.Kind{refusal.Capability, refusal.Syscall, refusal.Device},
		Forbids: "set the clock", Breaks: "time daemons; before systemd 252 also access to devices",
	},
	{
		Name: "ProtectHostname", Since: 242, kind: ordered{}, Man: manExec,
		Filters: true,
		Values:  []Value{{Name: "no"}, {Name: "private", Since: 258, Rank: 1}, {Name: "yes", Rank: 2}},
		Implies: []Effect{{Directive: "SystemCallFilter", Value: "~sethostname setdomainname"}},
		Trace:   NamespaceTrace("uts"),
		Refuses: []refusal.Kind{refusal.Syscall},
		Forbids: "change the host name, or see it change", Breaks: "services that must notice a new host name",
	},
	{
		Name: "PrivateDevices", kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Implies: []Effect{
			{Directive: "CapabilityBoundingSet", Value: "~CAP_MKNOD CAP_SYS_RAWIO"},
			{Directive: "SystemCallFilter", Value: "~@raw-io"},
			{Directive: "DevicePolicy", Value: "closed"},
		},
		Mounts: []Mount{
			{Path: "/dev/shm", Writable: true, Executable: true},
			{Path: "/dev/mqueue", Writable: true},
			{Path: "/dev/pts", Writable: true},
		},
		Trace:   MountTrace("/dev"),
		Refuses: []refusal.Kind{refusal.Device, refusal.Capability, refusal.Syscall},
		Forbids: "see devices other than null, zero, random, tty and their like",
		Breaks:  "hardware access, /dev/net/tun, /dev/fuse",
	},
	{
		Name: "DevicePolicy", kind: ordered{}, Man: manResources,
		Values:  []Value{{Name: "auto"}, {Name: "closed", Rank: 1}, {Name: "strict", Rank: 2}},
		Trace:   CgroupTrace("sd_devices"),
		Refuses: []refusal.Kind{refusal.Device},
		Forbids: "open devices other than the pseudo devices and those of DeviceAllow=", Breaks: "hardware access",
	},
	{
		Name: "DeviceAllow", kind: allowedDevices{}, With: "DevicePolicy", Man: manResources,
		Declares: []refusal.Kind{refusal.Device},
		Forbids:  "nothing: the exceptions from DevicePolicy=",
	},
	{
		Name: "PrivateIPC", Since: 248, kind: ordered{}, Values: boolean, Man: manExec,
		Mounts:  []Mount{{Path: "/dev/mqueue", Writable: true}},
		Trace:   NamespaceTrace("ipc"),
		Refuses: []refusal.Kind{refusal.IPC},
		Forbids: "share System V IPC and message queues with others",
		Breaks:  "databases and X clients that share memory",
	},
	{
		Name: "PrivatePIDs", Since: 257, kind: ordered{}, Values: boolean, Man: manExec, Mounts: apiMounts,
		Trace:   NamespaceTrace("pid"),
		Clashes: []Clash{{Directive: "Type", Value: "forking"}, {Directive: "PAMName"}},
		Refuses: []refusal.Kind{refusal.ProcessHidden, refusal.IPC},
		Forbids: "see or signal processes outside the service", Breaks: "services that look for others, Type=forking",
	},
	{
		Name: "PrivateUsers", Since: 232, kind: ordered{}, Man: manExec,
		Values: []Value{
			{Name: "no"},
			{Name: "full", Since: 258, Rank: 1},
			{Name: "identity", Since: 257, Rank: 1},
			{Name: "yes", Rank: 2},
			{Name: "managed", Since: 260, Rank: 2},
		},
		Mounts: onlyWith("managed", apiMounts),
		Trace:  NamespaceTrace("user"),
		Clashes: []Clash{
			{Directive: "UserNamespacePath"},
			{Directive: "User", With: "managed"},
			{Directive: "Group", With: "managed"},
			{Directive: "PAMName", With: "managed"},
			{Directive: "DynamicUser", Value: "yes", With: "managed"},
		},
		Refuses: []refusal.Kind{refusal.UserMapping, refusal.Capability},
		Forbids: "use capabilities on the host, see users other than its own",
		Breaks:  "ports below 1024, changing user, foreign files",
	},
	{
		Name: "PrivateNetwork", kind: ordered{}, Values: boolean, Man: manExec,
		Mounts:  []Mount{{Path: "/sys/fs/cgroup", Since: 253, Writable: true}}, // not seen with 252
		Trace:   NamespaceTrace("net"),
		Refuses: []refusal.Kind{refusal.Network, refusal.Family},
		Forbids: "use any network but its own loopback", Breaks: "every service that serves or uses a network",
	},
	{
		Name: "IPAddressDeny", Since: 235, kind: deniedAddresses{}, Man: manResources,
		Trace:   CgroupTrace("sd_fw_"),
		Refuses: []refusal.Kind{refusal.Network},
		Forbids: "exchange packets with these addresses", Breaks: "services with clients or servers there",
	},
	{
		Name: "IPAddressAllow", Since: 235, kind: allowedAddresses{}, With: "IPAddressDeny", Man: manResources,
		Try:     Try{Names: []string{"localhost"}},
		Forbids: "nothing: the exceptions from IPAddressDeny=",
	},
	{
		Name: "SocketBindDeny", Since: 249, kind: deniedPorts{}, Man: manResources,
		Trace:   CgroupTrace("sd_bind"),
		Refuses: []refusal.Kind{refusal.SocketBind},
		Forbids: "bind sockets to these ports", Breaks: "services that listen there",
	},
	{
		Name: "SocketBindAllow", Since: 249, kind: allowedPorts{}, With: "SocketBindDeny", Man: manResources,
		Try:     Try{Sockets: true},
		Forbids: "nothing: the exceptions from SocketBindDeny=",
	},
	{
		Name: "RestrictNetworkInterfaces", Since: 250, kind: nameListKind{isName: isInterface, want: "interface names"},
		Man:     manResources,
		Trace:   CgroupTrace("sd_restrictif_"),
		Forbids: "exchange packets over other interfaces",
		Breaks:  "services whose clients or servers are behind another interface",
	},
	{
		Name: "RestrictAddressFamilies", kind: families{}, Man: manExec,
		Declares: []refusal.Kind{refusal.Family},
		Filters:  true,
		Trace:    SeccompTrace,
		Refuses:  []refusal.Kind{refusal.Family},
		Forbids:  "open sockets of other families", Breaks: "getifaddrs() without AF_NETLINK, syslog without AF_UNIX",
	},
	{
		Name: "DynamicUser", Since: 232, kind: ordered{}, Values: boolean, Man: manExec,
		Implies: []Effect{
			{Directive: "RemoveIPC", Value: "yes"},
			{Directive: "ProtectSystem", Value: "strict"},
			{Directive: "ProtectHome", Value: "read-only"},
			{Directive: "NoNewPrivileges", Value: "yes"},
			{Directive: "RestrictSUIDSGID", Value: "yes"},
			{Directive: "PrivateTmp", Value: "yes", Until: 256},
			{Directive: "PrivateTmp", Value: "disconnected", Since: 257, WhenOff: true},
		},
		Trace:   Trace{Kind: NotRoot},
		Forbids: "run as root or as a user that owns files elsewhere", Breaks: "services with files of a fixed user",
	},
	{
		Name: "NoNewPrivileges", kind: ordered{}, Values: boolean, Man: manExec,
		Trace:   StatusTrace("NoNewPrivs", "1"),
		Refuses: []refusal.Kind{refusal.NewPrivileges},
		Forbids: "gain privileges by executing set-user-ID programs", Breaks: "sudo, sendmail, su, ping in children",
	},
	{
		Name: "CapabilityBoundingSet", kind: bounding{}, Man: manExec,
		Declares: []refusal.Kind{refusal.Capability},
		Trace:    Trace{Kind: Capabilities, Name: "CapBnd"},
		Refuses:  []refusal.Kind{refusal.Capability},
		Forbids:  "have any other capability", Breaks: "whatever needs a capability that is not listed",
	},
	{
		Name: "AmbientCapabilities", Since: 229, kind: ambient{}, Man: manExec,
		Declares: []refusal.Kind{refusal.Capability},
		Trace:    Trace{Kind: Capabilities, Name: "CapAmb"},
		Forbids:  "start with any other capability as an unprivileged user",
		Breaks:   "low ports, raw sockets of unprivileged users",
	},
	{
		Name: "SecureBits", kind: flags{"noroot", "noroot-locked", "keep-caps-locked", "no-setuid-fixup-locked"},
		Man:     manExec,
		Unseen:  "the kernel tells them to the process itself only",
		Forbids: "gain capabilities by becoming root", Breaks: "services that start helpers as root",
	},
	{
		Name: "UMask", kind: umask{}, Man: manExec,
		Refuses: []refusal.Kind{refusal.FileMode},
		Unseen:  "a process sets its own",
		Forbids: "create files that others can read or write", Breaks: "files and sockets shared with other users",
	},
	{
		Name: "KeyringMode", Since: 235, kind: ordered{}, Man: manExec, Default: "private",
		Values:  []Value{{Name: "inherit"}, {Name: "shared"}, {Name: "private", Rank: 1}},
		Unseen:  "the kernel tells the keyrings of a process to nobody else",
		Refuses: []refusal.Kind{refusal.Keyring},
		Forbids: "use the kernel keyring of others", Breaks: "disk encryption helpers, Kerberos",
	},
	{
		Name: "NotifyAccess", kind: ordered{}, Man: manService, Default: "none",
		Values: []Value{
			{Name: "all"},
			{Name: "exec", Rank: 1},
			{Name: "main", Rank: 2},
			{Name: "none", Rank: 3},
		},
		Trace:   Trace{Kind: InManager},
		Forbids: "tell the service manager its state from other processes",
		Breaks:  "Type=notify services that notify from a child",
	},
	{
		Name: "RemoveIPC", Since: 232, kind: ordered{}, Values: boolean, Man: manExec,
		Trace:   Trace{Kind: InManager},
		Forbids: "leave System V IPC objects behind", Breaks: "other units of the same user that share memory",
	},
	{
		Name: "Delegate", kind: ordered{}, Values: inverted, Default: "no", Man: manResources,
		Trace:   Trace{Kind: InManager},
		Forbids: "manage its own control group subtree", Breaks: "container managers",
	},
	{
		Name: "LockPersonality", Since: 235, kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Trace:   SeccompTrace,
		Refuses: []refusal.Kind{refusal.Personality},
		Forbids: "change the kernel execution domain", Breaks: "emulators of other architectures",
	},
	{
		Name: "MemoryDenyWriteExecute", Since: 231, kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Unseen:  "with Linux 6.3 it is a property of memory that the kernel does not tell",
		Refuses: []refusal.Kind{refusal.WriteExecute},
		Forbids: "make memory both writable and executable",
		Breaks:  "just-in-time compilers: JavaScript, Java, PCRE, LuaJIT",
	},
	{
		Name: "RestrictRealtime", Since: 231, kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Trace:   SeccompTrace,
		Refuses: []refusal.Kind{refusal.Realtime},
		Forbids: "use realtime scheduling", Breaks: "audio servers, time daemons, cluster managers",
	},
	{
		Name: "RestrictSUIDSGID", Since: 242, kind: ordered{}, Values: boolean, Man: manExec,
		Filters: true,
		Trace:   SeccompTrace,
		Refuses: []refusal.Kind{refusal.SetuidBit},
		Forbids: "set the set-user-ID or set-group-ID bit",
		Breaks:  "log rotation with mode 2770, package managers, openat2()",
	},
	{
		Name: "RestrictFileSystems", Since: 250,
		kind: nameListKind{isName: isFileSystem, want: "file system types or groups such as @known"}, Man: manExec,
		Trace:   Trace{Kind: InFile, Name: "/sys/kernel/security/lsm", Value: "bpf"},
		Refuses: []refusal.Kind{refusal.FileSystem},
		Forbids: "open files on file systems of other types",
		Breaks:  "services that read /proc, /sys or network file systems",
	},
	{
		Name: "PrivateBPF", Since: 258, kind: ordered{}, Values: boolean, Man: manExec, Mounts: apiMounts,
		Trace:   MountTrace("/sys/fs/bpf"),
		Forbids: "see the BPF objects of others in /sys/fs/bpf", Breaks: "services that share BPF maps",
	},
	{
		Name: "RestrictNamespaces", Since: 233, kind: namespaces{}, Man: manExec,
		Filters: true,
		Trace:   SeccompTrace,
		Refuses: []refusal.Kind{refusal.Namespace},
		Forbids: "create or enter namespaces", Breaks: "browsers, containers, services that sandbox themselves",
	},
	{
		Name: "SystemCallArchitectures", kind: architectures{}, Man: manExec,
		Filters: true,
		Trace:   SeccompTrace,
		Refuses: []refusal.Kind{refusal.Architecture},
		Forbids: "use the system calls of another architecture", Breaks: "32-bit programs on a 64-bit machine",
	},
	{
		Name: "SystemCallFilter", Since: 187, kind: callFilter{}, Man: manExec,
		Filters: true,
		Trace:   SeccompTrace,
		Refuses: []refusal.Kind{refusal.Syscall},
		Forbids: "use any other system call", Breaks: "whatever needs a call that is not listed; new C libraries",
	},
	{
		Name: "SystemCallErrorNumber", kind: errno{}, With: "SystemCallFilter", Man: manExec,
		Forbids: "nothing: a refused system call returns this error instead of killing the process",
	},
}
