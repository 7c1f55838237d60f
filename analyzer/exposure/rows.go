package exposure

// check is one row of the table: what is assessed, what it counts, and the sentences about it.
type check struct {
	name, field   string // as systemd-analyze names them
	since         int    // first systemd version with the row; 0 = all
	weight        int    // what the row counts
	span          int    // the greatest badness of the row; systemd calls it the range
	late          bool   // not appropriate for services without default dependencies
	good, bad, na string // the sentences for the least and the greatest badness, and for a row that does not apply
	fix           string // the assignment that makes the row good; "" if no single one does
	assess        assessor
}

// checks has a row for each row of "systemd-analyze security", in the order of systemd's source. Names, sentences and
// weights are those of systemd 247 to 262; between these versions only the number of rows and the names in oldNames
// changed.
var checks = []check{
	{
		name: "User=/DynamicUser=", field: "UserOrDynamicUser", weight: 2000, span: 10,
		bad: "Service runs as root user",
		fix: "DynamicUser=yes", assess: assessUser,
	},
	{
		name: "SupplementaryGroups=", field: "SupplementaryGroups", weight: 200, span: 1,
		good: "Service has no supplementary groups",
		bad:  "Service runs with supplementary groups",
		na:   "Service runs as root, option does not matter",
		fix:  "SupplementaryGroups=", assess: assessGroups,
	},
	{
		name: "PrivateDevices=", field: "PrivateDevices", weight: 1000, span: 1,
		good: "Service has no access to hardware devices",
		bad:  "Service potentially has access to hardware devices",
		fix:  "PrivateDevices=yes", assess: on("PrivateDevices"),
	},
	{
		name: "PrivateMounts=", field: "PrivateMounts", weight: 1000, span: 1,
		good: "Service cannot install system mounts",
		bad:  "Service may install system mounts",
		fix:  "PrivateMounts=yes", assess: on("PrivateMounts"),
	},
	{
		name: "PrivateNetwork=", field: "PrivateNetwork", weight: 2500, span: 1,
		good: "Service has no access to the host's network",
		bad:  "Service has access to the host's network",
		fix:  "PrivateNetwork=yes", assess: on("PrivateNetwork"),
	},
	{
		name: "PrivateTmp=", field: "PrivateTmp", weight: 1000, span: 1, late: true,
		good: "Service has no access to other software's temporary files",
		bad:  "Service has access to other software's temporary files",
		fix:  "PrivateTmp=yes", assess: on("PrivateTmp"),
	},
	{
		name: "PrivateUsers=", field: "PrivateUsers", weight: 1000, span: 1,
		good: "Service does not have access to other users",
		bad:  "Service has access to other users",
		fix:  "PrivateUsers=yes", assess: on("PrivateUsers"),
	},
	{
		name: "ProtectControlGroups=", field: "ProtectControlGroups", weight: 1000, span: 1,
		good: "Service cannot modify the control group file system",
		bad:  "Service may modify the control group file system",
		fix:  "ProtectControlGroups=yes", assess: on("ProtectControlGroups"),
	},
	{
		name: "ProtectKernelModules=", field: "ProtectKernelModules", weight: 1000, span: 1,
		good: "Service cannot load or read kernel modules",
		bad:  "Service may load or read kernel modules",
		fix:  "ProtectKernelModules=yes", assess: on("ProtectKernelModules"),
	},
	{
		name: "ProtectKernelTunables=", field: "ProtectKernelTunables", weight: 1000, span: 1,
		good: "Service cannot alter kernel tunables (/proc/sys, …)",
		bad:  "Service may alter kernel tunables",
		fix:  "ProtectKernelTunables=yes", assess: on("ProtectKernelTunables"),
	},
	{
		name: "ProtectKernelLogs=", field: "ProtectKernelLogs", weight: 1000, span: 1,
		good: "Service cannot read from or write to the kernel log ring buffer",
		bad:  "Service may read from or write to the kernel log ring buffer",
		fix:  "ProtectKernelLogs=yes", assess: on("ProtectKernelLogs"),
	},
	{
		name: "ProtectClock=", field: "ProtectClock", weight: 1000, span: 1,
		good: "Service cannot write to the hardware clock or system clock",
		bad:  "Service may write to the hardware clock or system clock",
		fix:  "ProtectClock=yes", assess: on("ProtectClock"),
	},
	{
		name: "ProtectHome=", field: "ProtectHome", weight: 1000, span: 10, late: true,
		fix: "ProtectHome=yes",
		assess: gradedValue("ProtectHome",
			grade{"no", 10, "Service has full access to home directories"},
			grade{"read-only", 5, "Service has read-only access to home directories"},
			grade{"tmpfs", 1, "Service has access to fake empty home directories"},
			grade{"yes", 0, "Service has no access to home directories"}),
	},
	{
		name: "ProtectHostname=", field: "ProtectHostname", weight: 50, span: 1,
		good: "Service cannot change system host/domainname",
		bad:  "Service may change system host/domainname",
		fix:  "ProtectHostname=yes", assess: on("ProtectHostname"),
	},
	{
		name: "ProtectSystem=", field: "ProtectSystem", weight: 1000, span: 10, late: true,
		fix: "ProtectSystem=strict",
		assess: gradedValue("ProtectSystem",
			grade{"no", 10, "Service has full access to the OS file hierarchy"},
			grade{"yes", 5, "Service has limited write access to the OS file hierarchy"},
			grade{"full", 3, "Service has very limited write access to the OS file hierarchy"},
			grade{"strict", 0, "Service has strict read-only access to the OS file hierarchy"}),
	},
	{
		name: "RootDirectory=/RootImage=", field: "RootDirectoryOrRootImage", weight: 200, span: 1, late: true,
		good:   "Service has its own root directory/image",
		bad:    "Service runs within the host's root directory",
		assess: assessRoot,
	},
	{
		name: "LockPersonality=", field: "LockPersonality", weight: 100, span: 1,
		good: "Service cannot change ABI personality",
		bad:  "Service may change ABI personality",
		fix:  "LockPersonality=yes", assess: on("LockPersonality"),
	},
	{
		name: "MemoryDenyWriteExecute=", field: "MemoryDenyWriteExecute", weight: 100, span: 1,
		good: "Service cannot create writable executable memory mappings",
		bad:  "Service may create writable executable memory mappings",
		fix:  "MemoryDenyWriteExecute=yes", assess: on("MemoryDenyWriteExecute"),
	},
	{
		name: "NoNewPrivileges=", field: "NoNewPrivileges", weight: 1000, span: 1,
		good: "Service processes cannot acquire new privileges",
		bad:  "Service processes may acquire new privileges",
		fix:  "NoNewPrivileges=yes", assess: on("NoNewPrivileges"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_ADMIN", field: "CapabilityBoundingSet_CAP_SYS_ADMIN",
		weight: 1500, span: 1,
		good: "Service has no administrator privileges",
		bad:  "Service has administrator privileges",
		fix:  "CapabilityBoundingSet=~CAP_SYS_ADMIN", assess: without("CAP_SYS_ADMIN"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SET(UID|GID|PCAP)", field: "CapabilityBoundingSet_CAP_SET_UID_GID_PCAP",
		weight: 1500, span: 1,
		good:   "Service cannot change UID/GID identities/capabilities",
		bad:    "Service may change UID/GID identities/capabilities",
		fix:    "CapabilityBoundingSet=~CAP_SETUID CAP_SETGID CAP_SETPCAP",
		assess: without("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_PTRACE", field: "CapabilityBoundingSet_CAP_SYS_PTRACE",
		weight: 1500, span: 1,
		good: "Service has no ptrace() debugging abilities",
		bad:  "Service has ptrace() debugging abilities",
		fix:  "CapabilityBoundingSet=~CAP_SYS_PTRACE", assess: without("CAP_SYS_PTRACE"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_TIME", field: "CapabilityBoundingSet_CAP_SYS_TIME", weight: 1000, span: 1,
		good: "Service processes cannot change the system clock",
		bad:  "Service processes may change the system clock",
		fix:  "CapabilityBoundingSet=~CAP_SYS_TIME", assess: without("CAP_SYS_TIME"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_NET_ADMIN", field: "CapabilityBoundingSet_CAP_NET_ADMIN",
		weight: 1000, span: 1,
		good: "Service has no network configuration privileges",
		bad:  "Service has network configuration privileges",
		fix:  "CapabilityBoundingSet=~CAP_NET_ADMIN", assess: without("CAP_NET_ADMIN"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_RAWIO", field: "CapabilityBoundingSet_CAP_SYS_RAWIO",
		weight: 1000, span: 1,
		good: "Service has no raw I/O access",
		bad:  "Service has raw I/O access",
		fix:  "CapabilityBoundingSet=~CAP_SYS_RAWIO", assess: without("CAP_SYS_RAWIO"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_MODULE", field: "CapabilityBoundingSet_CAP_SYS_MODULE",
		weight: 1000, span: 1,
		good: "Service cannot load kernel modules",
		bad:  "Service may load kernel modules",
		fix:  "CapabilityBoundingSet=~CAP_SYS_MODULE", assess: without("CAP_SYS_MODULE"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_AUDIT_*", field: "CapabilityBoundingSet_CAP_AUDIT", weight: 500, span: 1,
		good:   "Service has no audit subsystem access",
		bad:    "Service has audit subsystem access",
		fix:    "CapabilityBoundingSet=~CAP_AUDIT_CONTROL CAP_AUDIT_READ CAP_AUDIT_WRITE",
		assess: without("CAP_AUDIT_CONTROL", "CAP_AUDIT_READ", "CAP_AUDIT_WRITE"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYSLOG", field: "CapabilityBoundingSet_CAP_SYSLOG", weight: 500, span: 1,
		good: "Service has no access to kernel logging",
		bad:  "Service has access to kernel logging",
		fix:  "CapabilityBoundingSet=~CAP_SYSLOG", assess: without("CAP_SYSLOG"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_(NICE|RESOURCE)", field: "CapabilityBoundingSet_CAP_SYS_NICE_RESOURCE",
		weight: 500, span: 1,
		good:   "Service has no privileges to change resource use parameters",
		bad:    "Service has privileges to change resource use parameters",
		fix:    "CapabilityBoundingSet=~CAP_SYS_NICE CAP_SYS_RESOURCE",
		assess: without("CAP_SYS_NICE", "CAP_SYS_RESOURCE"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_MKNOD", field: "CapabilityBoundingSet_CAP_MKNOD", weight: 500, span: 1,
		good: "Service cannot create device nodes",
		bad:  "Service may create device nodes",
		fix:  "CapabilityBoundingSet=~CAP_MKNOD", assess: without("CAP_MKNOD"),
	},
	{
		name:  "CapabilityBoundingSet=~CAP_(CHOWN|FSETID|SETFCAP)",
		field: "CapabilityBoundingSet_CAP_CHOWN_FSETID_SETFCAP", weight: 1000, span: 1,
		good:   "Service cannot change file ownership/access mode/capabilities",
		bad:    "Service may change file ownership/access mode/capabilities unrestricted",
		fix:    "CapabilityBoundingSet=~CAP_CHOWN CAP_FSETID CAP_SETFCAP",
		assess: without("CAP_CHOWN", "CAP_FSETID", "CAP_SETFCAP"),
	},
	{
		name:  "CapabilityBoundingSet=~CAP_(DAC_*|FOWNER|IPC_OWNER)",
		field: "CapabilityBoundingSet_CAP_DAC_FOWNER_IPC_OWNER", weight: 1000, span: 1,
		good:   "Service cannot override UNIX file/IPC permission checks",
		bad:    "Service may override UNIX file/IPC permission checks",
		fix:    "CapabilityBoundingSet=~CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_IPC_OWNER",
		assess: without("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_IPC_OWNER"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_KILL", field: "CapabilityBoundingSet_CAP_KILL", weight: 500, span: 1,
		good: "Service cannot send UNIX signals to arbitrary processes",
		bad:  "Service may send UNIX signals to arbitrary processes",
		fix:  "CapabilityBoundingSet=~CAP_KILL", assess: without("CAP_KILL"),
	},
	{
		name:  "CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)",
		field: "CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)", weight: 500, span: 1,
		good:   "Service has no elevated networking privileges",
		bad:    "Service has elevated networking privileges",
		fix:    "CapabilityBoundingSet=~CAP_NET_BIND_SERVICE CAP_NET_BROADCAST CAP_NET_RAW",
		assess: without("CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_RAW"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_BOOT", field: "CapabilityBoundingSet_CAP_SYS_BOOT", weight: 100, span: 1,
		good: "Service cannot issue reboot()",
		bad:  "Service may issue reboot()",
		fix:  "CapabilityBoundingSet=~CAP_SYS_BOOT", assess: without("CAP_SYS_BOOT"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_MAC_*", field: "CapabilityBoundingSet_CAP_MAC", weight: 100, span: 1,
		good:   "Service cannot adjust SMACK MAC",
		bad:    "Service may adjust SMACK MAC",
		fix:    "CapabilityBoundingSet=~CAP_MAC_ADMIN CAP_MAC_OVERRIDE",
		assess: without("CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_LINUX_IMMUTABLE", field: "CapabilityBoundingSet_CAP_LINUX_IMMUTABLE",
		weight: 75, span: 1,
		good: "Service cannot mark files immutable",
		bad:  "Service may mark files immutable",
		fix:  "CapabilityBoundingSet=~CAP_LINUX_IMMUTABLE", assess: without("CAP_LINUX_IMMUTABLE"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_IPC_LOCK", field: "CapabilityBoundingSet_CAP_IPC_LOCK", weight: 50, span: 1,
		good: "Service cannot lock memory into RAM",
		bad:  "Service may lock memory into RAM",
		fix:  "CapabilityBoundingSet=~CAP_IPC_LOCK", assess: without("CAP_IPC_LOCK"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_CHROOT", field: "CapabilityBoundingSet_CAP_SYS_CHROOT",
		weight: 50, span: 1,
		good: "Service cannot issue chroot()",
		bad:  "Service may issue chroot()",
		fix:  "CapabilityBoundingSet=~CAP_SYS_CHROOT", assess: without("CAP_SYS_CHROOT"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_BLOCK_SUSPEND", field: "CapabilityBoundingSet_CAP_BLOCK_SUSPEND",
		weight: 25, span: 1,
		good: "Service cannot establish wake locks",
		bad:  "Service may establish wake locks",
		fix:  "CapabilityBoundingSet=~CAP_BLOCK_SUSPEND", assess: without("CAP_BLOCK_SUSPEND"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_WAKE_ALARM", field: "CapabilityBoundingSet_CAP_WAKE_ALARM",
		weight: 25, span: 1,
		good: "Service cannot program timers that wake up the system",
		bad:  "Service may program timers that wake up the system",
		fix:  "CapabilityBoundingSet=~CAP_WAKE_ALARM", assess: without("CAP_WAKE_ALARM"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_LEASE", field: "CapabilityBoundingSet_CAP_LEASE", weight: 25, span: 1,
		good: "Service cannot create file leases",
		bad:  "Service may create file leases",
		fix:  "CapabilityBoundingSet=~CAP_LEASE", assess: without("CAP_LEASE"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_TTY_CONFIG", field: "CapabilityBoundingSet_CAP_SYS_TTY_CONFIG",
		weight: 25, span: 1,
		good: "Service cannot issue vhangup()",
		bad:  "Service may issue vhangup()",
		fix:  "CapabilityBoundingSet=~CAP_SYS_TTY_CONFIG", assess: without("CAP_SYS_TTY_CONFIG"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_SYS_PACCT", field: "CapabilityBoundingSet_CAP_SYS_PACCT", weight: 25, span: 1,
		good: "Service cannot use acct()",
		bad:  "Service may use acct()",
		fix:  "CapabilityBoundingSet=~CAP_SYS_PACCT", assess: without("CAP_SYS_PACCT"),
	},
	{
		name: "CapabilityBoundingSet=~CAP_BPF", field: "CapabilityBoundingSet_CAP_BPF", since: 250, weight: 25, span: 1,
		good: "Service may not load BPF programs",
		bad:  "Service may load BPF programs",
		fix:  "CapabilityBoundingSet=~CAP_BPF", assess: without("CAP_BPF"),
	},
	{
		name: "UMask=", field: "UMask", weight: 100, span: 10,
		fix: "UMask=0077", assess: assessUMask,
	},
	{
		name: "KeyringMode=", field: "KeyringMode", weight: 1000, span: 1,
		good: "Service doesn't share key material with other services",
		bad:  "Service shares key material with other service",
		fix:  "KeyringMode=private",
		assess: gradedValue("KeyringMode", grade{"inherit", 1, ""}, grade{"shared", 1, ""},
			grade{"private", 0, ""}),
	},
	{
		name: "ProtectProc=", field: "ProtectProc", weight: 1000, span: 3,
		good: "Service has restricted access to process tree (/proc hidepid=)",
		bad:  "Service has full access to process tree (/proc hidepid=)",
		fix:  "ProtectProc=invisible",
		assess: gradedValue("ProtectProc", grade{"default", 3, ""}, grade{"noaccess", 1, ""},
			grade{"invisible", 0, ""}, grade{"ptraceable", 0, ""}),
	},
	{
		name: "ProcSubset=", field: "ProcSubset", weight: 10, span: 1,
		good:   "Service has no access to non-process /proc files (/proc subset=)",
		bad:    "Service has full access to non-process /proc files (/proc subset=)",
		fix:    "ProcSubset=pid",
		assess: gradedValue("ProcSubset", grade{"all", 1, ""}, grade{"pid", 0, ""}),
	},
	{
		name: "NotifyAccess=", field: "NotifyAccess", weight: 1000, span: 1,
		good: "Service child processes cannot alter service state",
		bad:  "Service child processes may alter service state",
		fix:  "NotifyAccess=main",
		assess: gradedValue("NotifyAccess", grade{"all", 1, ""}, grade{"exec", 0, ""},
			grade{"main", 0, ""}, grade{"none", 0, ""}),
	},
	{
		name: "RemoveIPC=", field: "RemoveIPC", weight: 100, span: 1,
		good: "Service user cannot leave SysV IPC objects around",
		bad:  "Service user may leave SysV IPC objects around",
		na:   "Service runs as root, option does not apply",
		fix:  "RemoveIPC=yes", assess: assessRemoveIPC,
	},
	{
		name: "Delegate=", field: "Delegate", weight: 100, span: 1,
		good: "Service does not maintain its own delegated control group subtree",
		bad:  "Service maintains its own delegated control group subtree",
		fix:  "Delegate=no", assess: off("Delegate"),
	},
	{
		name: "RestrictRealtime=", field: "RestrictRealtime", weight: 500, span: 1,
		good: "Service realtime scheduling access is restricted",
		bad:  "Service may acquire realtime scheduling",
		fix:  "RestrictRealtime=yes", assess: on("RestrictRealtime"),
	},
	{
		name: "RestrictSUIDSGID=", field: "RestrictSUIDSGID", weight: 1000, span: 1,
		good: "SUID/SGID file creation by service is restricted",
		bad:  "Service may create SUID/SGID files",
		fix:  "RestrictSUIDSGID=yes", assess: on("RestrictSUIDSGID"),
	},
	{
		name: "RestrictNamespaces=~user", field: "RestrictNamespaces_user", weight: 1500, span: 1,
		good: "Service cannot create user namespaces",
		bad:  "Service may create user namespaces",
		fix:  "RestrictNamespaces=~user", assess: noNamespace("user"),
	},
	{
		name: "RestrictNamespaces=~mnt", field: "RestrictNamespaces_mnt", weight: 500, span: 1,
		good: "Service cannot create file system namespaces",
		bad:  "Service may create file system namespaces",
		fix:  "RestrictNamespaces=~mnt", assess: noNamespace("mnt"),
	},
	{
		name: "RestrictNamespaces=~ipc", field: "RestrictNamespaces_ipc", weight: 500, span: 1,
		good: "Service cannot create IPC namespaces",
		bad:  "Service may create IPC namespaces",
		fix:  "RestrictNamespaces=~ipc", assess: noNamespace("ipc"),
	},
	{
		name: "RestrictNamespaces=~pid", field: "RestrictNamespaces_pid", weight: 500, span: 1,
		good: "Service cannot create process namespaces",
		bad:  "Service may create process namespaces",
		fix:  "RestrictNamespaces=~pid", assess: noNamespace("pid"),
	},
	{
		name: "RestrictNamespaces=~cgroup", field: "RestrictNamespaces_cgroup", weight: 500, span: 1,
		good: "Service cannot create cgroup namespaces",
		bad:  "Service may create cgroup namespaces",
		fix:  "RestrictNamespaces=~cgroup", assess: noNamespace("cgroup"),
	},
	{
		name: "RestrictNamespaces=~net", field: "RestrictNamespaces_net", weight: 500, span: 1,
		good: "Service cannot create network namespaces",
		bad:  "Service may create network namespaces",
		fix:  "RestrictNamespaces=~net", assess: noNamespace("net"),
	},
	{
		name: "RestrictNamespaces=~uts", field: "RestrictNamespaces_uts", weight: 100, span: 1,
		good: "Service cannot create hostname namespaces",
		bad:  "Service may create hostname namespaces",
		fix:  "RestrictNamespaces=~uts", assess: noNamespace("uts"),
	},
	{
		name: "RestrictAddressFamilies=~AF_(INET|INET6)", field: "RestrictAddressFamilies_AF_INET_INET6",
		weight: 1500, span: 1,
		good: "Service cannot allocate Internet sockets",
		bad:  "Service may allocate Internet sockets",
		fix:  "RestrictAddressFamilies=~AF_INET AF_INET6", assess: families("AF_INET", "AF_INET6"),
	},
	{
		name: "RestrictAddressFamilies=~AF_UNIX", field: "RestrictAddressFamilies_AF_UNIX", weight: 25, span: 1,
		good: "Service cannot allocate local sockets",
		bad:  "Service may allocate local sockets",
		fix:  "RestrictAddressFamilies=~AF_UNIX", assess: families("AF_UNIX"),
	},
	{
		name: "RestrictAddressFamilies=~AF_NETLINK", field: "RestrictAddressFamilies_AF_NETLINK", weight: 200, span: 1,
		good: "Service cannot allocate netlink sockets",
		bad:  "Service may allocate netlink sockets",
		fix:  "RestrictAddressFamilies=~AF_NETLINK", assess: families("AF_NETLINK"),
	},
	{
		name: "RestrictAddressFamilies=~AF_PACKET", field: "RestrictAddressFamilies_AF_PACKET", weight: 1000, span: 1,
		good: "Service cannot allocate packet sockets",
		bad:  "Service may allocate packet sockets",
		fix:  "RestrictAddressFamilies=~AF_PACKET", assess: families("AF_PACKET"),
	},
	{
		name: "RestrictAddressFamilies=~…", field: "RestrictAddressFamilies_OTHER", weight: 1250, span: 1,
		good: "Service cannot allocate exotic sockets",
		bad:  "Service may allocate exotic sockets",
		fix:  "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET", assess: otherFamilies,
	},
	{
		name: "SystemCallArchitectures=", field: "SystemCallArchitectures", weight: 1000, span: 10,
		fix: "SystemCallArchitectures=native", assess: assessArchitectures,
	},
	{
		name: "SystemCallFilter=~@swap", field: "SystemCallFilter_swap", weight: 1000, span: 10,
		fix: "SystemCallFilter=~@swap", assess: noCalls("@swap"),
	},
	{
		name: "SystemCallFilter=~@obsolete", field: "SystemCallFilter_obsolete", weight: 250, span: 10,
		fix: "SystemCallFilter=~@obsolete", assess: noCalls("@obsolete"),
	},
	{
		name: "SystemCallFilter=~@clock", field: "SystemCallFilter_clock", weight: 1000, span: 10,
		fix: "SystemCallFilter=~@clock", assess: noCalls("@clock"),
	},
	{
		name: "SystemCallFilter=~@cpu-emulation", field: "SystemCallFilter_cpu_emulation", weight: 250, span: 10,
		fix: "SystemCallFilter=~@cpu-emulation", assess: noCalls("@cpu-emulation"),
	},
	{
		name: "SystemCallFilter=~@debug", field: "SystemCallFilter_debug", weight: 1000, span: 10,
		fix: "SystemCallFilter=~@debug", assess: noCalls("@debug"),
	},
	{
		name: "SystemCallFilter=~@mount", field: "SystemCallFilter_mount", weight: 1000, span: 10,
		fix: "SystemCallFilter=~@mount", assess: noCalls("@mount"),
	},
	{
		name: "SystemCallFilter=~@module", field: "SystemCallFilter_module", weight: 1000, span: 10,
		fix: "SystemCallFilter=~@module", assess: noCalls("@module"),
	},
	{
		name: "SystemCallFilter=~@raw-io", field: "SystemCallFilter_raw_io", weight: 1000, span: 10,
		fix: "SystemCallFilter=~@raw-io", assess: noCalls("@raw-io"),
	},
	{
		name: "SystemCallFilter=~@reboot", field: "SystemCallFilter_reboot", weight: 1000, span: 10,
		fix: "SystemCallFilter=~@reboot", assess: noCalls("@reboot"),
	},
	{
		name: "SystemCallFilter=~@privileged", field: "SystemCallFilter_privileged", weight: 700, span: 10,
		fix: "SystemCallFilter=~@privileged", assess: noCalls("@privileged"),
	},
	{
		name: "SystemCallFilter=~@resources", field: "SystemCallFilter_resources", weight: 700, span: 10,
		fix: "SystemCallFilter=~@resources", assess: noCalls("@resources"),
	},
	{
		name: "IPAddressDeny=", field: "IPAddressDeny", weight: 1000, span: 10,
		fix: "IPAddressDeny=any", assess: assessAddresses,
	},
	{
		name: "DeviceAllow=", field: "DeviceAllow", weight: 1000, span: 10,
		fix: "DevicePolicy=closed", assess: assessDevices,
	},
	{
		name: "AmbientCapabilities=", field: "AmbientCapabilities", weight: 500, span: 1,
		good: "Service process does not receive ambient capabilities",
		bad:  "Service process receives ambient capabilities",
		fix:  "AmbientCapabilities=", assess: assessAmbient,
	},
}

// oldNames are the names of rows up to systemd 249.
var oldNames = map[string]string{
	"RestrictNamespaces=~user":   "RestrictNamespaces=~CLONE_NEWUSER",
	"RestrictNamespaces=~mnt":    "RestrictNamespaces=~CLONE_NEWNS",
	"RestrictNamespaces=~ipc":    "RestrictNamespaces=~CLONE_NEWIPC",
	"RestrictNamespaces=~pid":    "RestrictNamespaces=~CLONE_NEWPID",
	"RestrictNamespaces=~cgroup": "RestrictNamespaces=~CLONE_NEWCGROUP",
	"RestrictNamespaces=~net":    "RestrictNamespaces=~CLONE_NEWNET",
	"RestrictNamespaces=~uts":    "RestrictNamespaces=~CLONE_NEWUTS",
}
