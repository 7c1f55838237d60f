package directive_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/directive"
	"temper/internal/values"
)

// having makes a unit of "Name=value" lines.
func having(version int, lines ...string) directive.Context {
	own := map[string][]string{}
	for _, l := range lines {
		name, value, _ := strings.Cut(l, "=")
		own[name] = append(own[name], value)
	}
	return directive.NewContext(version, own)
}

func merge(t testing.TB, name string, c directive.Context, want ...string) directive.Merged {
	t.Helper()
	d, ok := directive.Lookup(name)
	if !ok {
		t.Fatalf("no directive %s", name)
	}
	return d.Merge(c, want)
}

// mergeRows: nil lines stand for a directive that is left out.
var mergeRows = []struct {
	name      string
	version   int
	have      []string
	directive string
	want      []string
	lines     []string
	note      string // a part of it
}{
	{
		"mounts: /tmp would be writable under strict", 257,
		[]string{"ProtectSystem=strict"},
		"PrivateTmp",
		[]string{"yes"},
		nil, "would make /tmp writable, which the unit keeps closed by ProtectSystem=strict",
	},
	{
		"mounts: /tmp is writable already", 257,
		[]string{"ProtectSystem=strict", "ReadWritePaths=/tmp -/var/tmp"},
		"PrivateTmp",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"mounts: the unit closes /tmp itself", 257,
		[]string{"ReadOnlyPaths=/ /tmp /var/tmp"},
		"PrivateTmp",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"mounts: /tmp would be writable in an empty read-only root", 257,
		[]string{"TemporaryFileSystem=/:ro"},
		"PrivateTmp",
		[]string{"yes"},
		nil, "closed by TemporaryFileSystem=",
	},
	{
		"mounts: /tmp is writable in an empty root", 257,
		[]string{"TemporaryFileSystem=/"},
		"PrivateTmp",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"mounts: /tmp would be executable", 257,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"PrivateTmp",
		[]string{"yes"},
		nil, "would make what is in /tmp executable, which the unit forbids by NoExecPaths=",
	},
	{
		"mounts: /tmp is executable already", 257,
		[]string{"NoExecPaths=/", "ExecPaths=/usr /tmp /var/tmp"},
		"PrivateTmp",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"mounts: a file system of the unit's own is noexec", 257,
		[]string{"TemporaryFileSystem=/tmp:noexec"},
		"PrivateTmp",
		[]string{"yes"},
		nil, "the unit forbids by TemporaryFileSystem=",
	},
	{
		"mounts: /dev/shm would be executable", 252,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"PrivateDevices",
		[]string{"yes"},
		nil, "would make what is in /dev/shm executable",
	},
	{
		"mounts: of one value", 262,
		[]string{"ReadOnlyPaths=/sys"},
		"PrivateUsers",
		[]string{"managed"},
		nil, "would make /sys/fs/cgroup writable",
	},
	{
		"mounts: not of another value of its rank", 262,
		[]string{"ReadOnlyPaths=/"},
		"PrivateUsers",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"mounts: /home would be executable", 252,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"ProtectHome",
		[]string{"tmpfs"},
		nil, "would make what is in /home executable",
	},
	{
		"mounts: a hidden /home is not executable", 252,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"ProtectHome",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"mounts: by what is implied", 257,
		[]string{"ReadOnlyPaths=/"},
		"DynamicUser",
		[]string{"yes"},
		nil,
		"writable, which the unit keeps closed by ReadOnlyPaths=",
	},
	{
		"mounts: what is made read-only would be executable", 257,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"ReadOnlyPaths",
		[]string{"/srv"},
		nil, "would make executable what the unit forbids by NoExecPaths=: /srv",
	},
	{
		"mounts: an exception would be executable", 257,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"ReadWritePaths",
		[]string{"/srv"},
		nil, "the unit keeps closed /srv (NoExecPaths=)",
	},
	{
		"mounts: an executable exception would be writable", 257,
		[]string{"ProtectSystem=strict"},
		"ExecPaths",
		[]string{"/usr"},
		nil, "the unit keeps closed /usr",
	},
	{
		"mounts: full names /usr itself", 257,
		[]string{"ProtectSystem=full"},
		"NoExecPaths",
		[]string{"/usr"},
		[]string{"-/usr"},
		"",
	},
	{
		"mounts: an empty file system would be writable", 257,
		[]string{"ReadOnlyPaths=/"},
		"TemporaryFileSystem",
		[]string{"/srv", "/opt:ro"},
		[]string{"/opt:ro"},
		"would make /srv writable",
	},
	{"ordered: added", 252, nil, "ProtectSystem", []string{"strict"}, []string{"strict"}, ""},
	{
		"ordered: raised", 252,
		[]string{"ProtectSystem=full"},
		"ProtectSystem",
		[]string{"strict"},
		[]string{"strict"},
		"",
	},
	{
		"ordered: the unit's is stronger", 252,
		[]string{"ProtectSystem=strict"},
		"ProtectSystem",
		[]string{"full"},
		nil,
		"already sets strict",
	},
	{
		"ordered: the last of the unit's counts", 252,
		[]string{"ProtectHome=yes", "ProtectHome=no"},
		"ProtectHome",
		[]string{"read-only"},
		[]string{"read-only"},
		"",
	},
	{
		"ordered: a bad value of the unit does not count", 252,
		[]string{"ProtectHome=yes", "ProtectHome=maybe"},
		"ProtectHome",
		[]string{"yes"},
		nil, "already sets yes",
	},
	{
		"ordered: an empty one does not reset", 252,
		[]string{"ProtectHome=yes", "ProtectHome="},
		"ProtectHome",
		[]string{"yes"},
		nil, "already sets yes",
	},
	{
		"ordered: booleans in any spelling", 252,
		[]string{"PrivateDevices=on"},
		"PrivateDevices",
		[]string{"yes"},
		nil,
		"already sets yes",
	},
	{
		"ordered: two of one rank are left as they are", 257,
		[]string{"ProtectControlGroups=private"},
		"ProtectControlGroups",
		[]string{"yes"},
		nil, "already sets private",
	},
	{"ordered: the default is as good", 252, nil, "KeyringMode", []string{"private"}, nil, "already so by default"},
	{"ordered: inverted", 252, []string{"Delegate=cpu"}, "Delegate", []string{"no"}, []string{"no"}, ""},
	{"ordered: unknown directive", 252, nil, "PrivatePIDs", []string{"yes"}, nil, "needs systemd 257"},
	{
		"ordered: the value below is known", 252, nil, "PrivateTmp",
		[]string{"disconnected"},
		[]string{"yes"},
		"disconnected needs systemd 257, this one is 252: yes instead",
	},
	{
		"ordered: no value below is known", 252, nil, "ProtectHostname",
		[]string{"private"},
		nil,
		"private needs systemd 258",
	},
	{
		"ordered: the value below is what the unit has", 252,
		[]string{"PrivateTmp=yes"},
		"PrivateTmp",
		[]string{"disconnected"},
		nil, "already sets yes",
	},
	{
		"ordered: reset since 258", 262,
		[]string{"ProtectHostname=yes", "ProtectHostname="},
		"ProtectHostname",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"ordered: no reset before", 257,
		[]string{"ProtectHostname=yes", "ProtectHostname="},
		"ProtectHostname",
		[]string{"yes"},
		nil, "already sets yes",
	},

	{
		"implied: by DynamicUser", 252,
		[]string{"DynamicUser=yes"},
		"ProtectSystem",
		[]string{"full"},
		nil,
		"already has strict through DynamicUser=",
	},
	{
		"implied: DynamicUser forces strict over full", 252,
		[]string{"DynamicUser=yes", "ProtectSystem=full"},
		"ProtectSystem",
		[]string{"strict"},
		nil, "through DynamicUser=",
	},
	{
		"implied: DynamicUser disconnects /tmp since 257", 257,
		[]string{"DynamicUser=yes"},
		"PrivateTmp",
		[]string{"disconnected"},
		nil, "through DynamicUser=",
	},
	{
		"implied: but not a private one", 257,
		[]string{"DynamicUser=yes", "PrivateTmp=yes"},
		"PrivateTmp",
		[]string{"disconnected"},
		[]string{"disconnected"},
		"",
	},
	{
		"implied: PrivateDevices closes devices", 252,
		[]string{"PrivateDevices=yes"},
		"DevicePolicy",
		[]string{"closed"},
		nil, "through PrivateDevices=",
	},
	{
		"implied: an explicit no of DynamicUser's does not count", 252,
		[]string{"DynamicUser=yes", "NoNewPrivileges=no"},
		"NoNewPrivileges",
		[]string{"yes"},
		nil, "through DynamicUser=",
	},
	{
		"widens: ProtectClock opens a device", 252,
		[]string{"DevicePolicy=closed"},
		"ProtectClock",
		[]string{"yes"},
		nil,
		"would open DeviceAllow=char-rtc r",
	},
	{
		"widens: which the unit has open", 252,
		[]string{"DevicePolicy=closed", "DeviceAllow=char-rtc r"},
		"ProtectClock",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"widens: to units with devices of their own", 252,
		[]string{"PrivateDevices=yes"},
		"ProtectClock",
		[]string{"yes"},
		nil, "would open",
	},

	{
		"capabilities: intersection", 252,
		[]string{"CapabilityBoundingSet=CAP_KILL CAP_CHOWN"},
		"CapabilityBoundingSet",
		[]string{"CAP_CHOWN CAP_SYS_ADMIN"},
		[]string{"", "CAP_CHOWN"},
		"",
	},
	{
		"capabilities: the unit's deny-list", 252,
		[]string{"CapabilityBoundingSet=~CAP_CHOWN"},
		"CapabilityBoundingSet",
		[]string{"CAP_CHOWN CAP_KILL"},
		[]string{"", "CAP_KILL"},
		"",
	},
	{
		"capabilities: none in common", 252,
		[]string{"CapabilityBoundingSet=CAP_KILL"},
		"CapabilityBoundingSet",
		[]string{"CAP_CHOWN"},
		[]string{""},
		"",
	},
	{
		"capabilities: the unit has none", 252,
		[]string{"CapabilityBoundingSet="},
		"CapabilityBoundingSet",
		[]string{"CAP_CHOWN"},
		nil, "no other capability",
	},
	{
		"capabilities: a plain list after a tilde replaces up to 257", 257,
		[]string{"CapabilityBoundingSet=~", "CapabilityBoundingSet=CAP_KILL"},
		"CapabilityBoundingSet",
		[]string{"CAP_KILL CAP_CHOWN"},
		nil, "no other capability",
	},
	{
		"capabilities: and adds from 258", 262,
		[]string{"CapabilityBoundingSet=~", "CapabilityBoundingSet=CAP_KILL"},
		"CapabilityBoundingSet",
		[]string{"CAP_KILL CAP_CHOWN"},
		[]string{"", "CAP_CHOWN CAP_KILL"},
		"",
	},
	{
		"capabilities: without a list of the unit's", 252, nil, "CapabilityBoundingSet",
		[]string{"~CAP_SYS_ADMIN", "~CAP_BPF"},
		[]string{values.CapSet(values.AllCapabilities &^ values.CapabilitySet("CAP_SYS_ADMIN",
			"CAP_BPF")).String()},
		"",
	},
	{
		"ambient: only taken away", 252,
		[]string{"AmbientCapabilities=CAP_KILL CAP_CHOWN"},
		"AmbientCapabilities",
		[]string{"CAP_KILL CAP_BPF"},
		[]string{"", "CAP_KILL"},
		"",
	},
	{"ambient: nothing granted", 252, nil, "AmbientCapabilities", []string{"CAP_KILL"}, nil, "grants no other"},

	{
		"system calls: the unit has no filter", 252, nil, "SystemCallFilter",
		[]string{"@system-service", "~@privileged"},
		[]string{"@system-service", "~@privileged"},
		"",
	},
	{
		"system calls: an allow-list loses", 252,
		[]string{"SystemCallFilter=@default read write ptrace"},
		"SystemCallFilter",
		[]string{"@default read ptrace"},
		[]string{"~write"},
		"",
	},
	{
		"system calls: plain after tilde would open", 252,
		[]string{"SystemCallFilter=~ptrace mount"},
		"SystemCallFilter",
		[]string{"@default mount read"},
		[]string{"", "@default mount read", "~mount"},
		"",
	},
	{
		"system calls: deny-lists add up", 252,
		[]string{"SystemCallFilter=~ptrace"},
		"SystemCallFilter",
		[]string{"~ptrace mount"},
		[]string{"~mount"},
		"",
	},
	{
		"system calls: errors of the unit stay", 252,
		[]string{"SystemCallFilter=~mount:EACCES", "SystemCallFilter=~swapon:4095"},
		"SystemCallFilter",
		[]string{"@default mount swapon read"},
		[]string{"", "@default mount swapon read", "~mount:EACCES swapon:4095"},
		"",
	},
	{
		"system calls: errors of the profile stay", 252,
		[]string{"SystemCallFilter=~ptrace"},
		"SystemCallFilter",
		[]string{"~mount:EPERM ptrace"},
		[]string{"~mount:EPERM"},
		"",
	},
	{
		"system calls: refused with an error on an allow-list", 252,
		[]string{"SystemCallFilter=@default mount", "SystemCallFilter=~mount:EPERM"},
		"SystemCallFilter",
		[]string{"@default mount"},
		nil, "no other system call",
	},
	{
		"system calls: the unit's reset", 252,
		[]string{"SystemCallFilter=@default read", "SystemCallFilter="},
		"SystemCallFilter",
		[]string{"@default"},
		[]string{"", "@default"},
		"",
	},
	{
		"system calls: a list of nothing decides the sign", 252,
		[]string{"SystemCallFilter=~"},
		"SystemCallFilter",
		[]string{"@default"},
		[]string{"", "@default"},
		"",
	},
	{
		"system calls: unknown groups and calls are left out", 247, nil, "SystemCallFilter",
		[]string{"@system-service @sandbox", "@sandbox"},
		[]string{"@system-service"},
		"does not know @sandbox @sandbox",
	},
	{
		"system calls: the unit denies with names to come", 300,
		[]string{"SystemCallFilter=~mount tomorrow"},
		"SystemCallFilter",
		[]string{"@default"},
		[]string{"", "@default", "~mount tomorrow"},
		"",
	},
	{"errors: of a filter without", 252, nil, "SystemCallErrorNumber", []string{"EPERM"}, []string{"EPERM"}, ""},
	{
		"errors: the unit's filter kills", 252,
		[]string{"SystemCallFilter=~ptrace"},
		"SystemCallErrorNumber",
		[]string{"EPERM"},
		nil, "own SystemCallFilter= decides",
	},

	{
		"families: the unit has none", 252, nil, "RestrictAddressFamilies",
		[]string{"AF_UNIX AF_INET"},
		[]string{"AF_UNIX AF_INET"},
		"",
	},
	{
		"families: both allow", 252,
		[]string{"RestrictAddressFamilies=AF_UNIX AF_NETLINK"},
		"RestrictAddressFamilies",
		[]string{"AF_UNIX AF_INET"},
		[]string{"", "AF_UNIX"},
		"",
	},
	{
		"families: plain after tilde would open", 252,
		[]string{"RestrictAddressFamilies=~AF_INET"},
		"RestrictAddressFamilies",
		[]string{"AF_UNIX AF_INET"},
		[]string{"", "AF_UNIX"},
		"",
	},
	{
		"families: deny-lists add up", 252,
		[]string{"RestrictAddressFamilies=~AF_INET"},
		"RestrictAddressFamilies",
		[]string{"~AF_X25"},
		[]string{"~AF_X25"},
		"",
	},
	{
		"families: none in common", 252,
		[]string{"RestrictAddressFamilies=AF_UNIX"},
		"RestrictAddressFamilies",
		[]string{"AF_INET"},
		[]string{"", "none"},
		"",
	},
	{
		"families: none in common, without the word none", 247,
		[]string{"RestrictAddressFamilies=AF_UNIX"},
		"RestrictAddressFamilies",
		[]string{"AF_INET"},
		[]string{"", "AF_UNIX", "~AF_UNIX"},
		"",
	},
	{
		"families: none without the word", 247, nil, "RestrictAddressFamilies",
		[]string{"none"},
		[]string{"AF_UNIX", "~AF_UNIX"},
		"systemd 247 does not know none",
	},
	{
		"families: one that is younger", 247, nil, "RestrictAddressFamilies",
		[]string{"AF_UNIX AF_MCTP"},
		[]string{"AF_UNIX"},
		"systemd 247 does not know AF_MCTP",
	},
	{
		"families: a list of nothing decides the sign", 252,
		[]string{"RestrictAddressFamilies=~"},
		"RestrictAddressFamilies",
		[]string{"AF_UNIX"},
		[]string{"", "AF_UNIX"},
		"",
	},

	{
		"namespaces: both allow", 252,
		[]string{"RestrictNamespaces=net user"},
		"RestrictNamespaces",
		[]string{"net mnt"},
		[]string{"", "net"},
		"",
	},
	{
		"namespaces: none", 252,
		[]string{"RestrictNamespaces=net"},
		"RestrictNamespaces",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{
		"namespaces: the unit denies one", 252,
		[]string{"RestrictNamespaces=~net"},
		"RestrictNamespaces",
		[]string{"net mnt"},
		[]string{"", "mnt"},
		"",
	},
	{
		"namespaces: a plain list over yes would open", 252,
		[]string{"RestrictNamespaces=yes"},
		"RestrictNamespaces",
		[]string{"net"},
		nil, "no other namespace",
	},
	{
		"namespaces: one that is younger", 247, nil, "RestrictNamespaces",
		[]string{"net time"},
		[]string{"net"},
		"systemd 247 does not know time",
	},
	{
		"namespaces: none that is older", 247, nil, "RestrictNamespaces",
		[]string{"~time"},
		nil,
		"systemd 247 does not know time",
	},
	{
		"namespaces: only one that is younger", 247, nil, "RestrictNamespaces",
		[]string{"time"},
		[]string{"yes"},
		"systemd 247 does not know time",
	},
	{
		"namespaces: the unit's own line is void", 247,
		[]string{"RestrictNamespaces=net time"},
		"RestrictNamespaces",
		[]string{"net"},
		[]string{"", "net"},
		"",
	},

	{
		"architectures", 252,
		[]string{"SystemCallArchitectures=native x86"},
		"SystemCallArchitectures",
		[]string{"native"},
		[]string{"", "native"},
		"",
	},
	{
		"architectures: another name for native is not compared", 252,
		[]string{"SystemCallArchitectures=x86-64"},
		"SystemCallArchitectures",
		[]string{"native"},
		nil, "the unit allows x86-64",
	},
	{
		"architectures: an empty list would allow all", 252,
		[]string{"SystemCallArchitectures=native"},
		"SystemCallArchitectures",
		[]string{"x86"},
		nil, "the unit allows native",
	},
	{
		"architectures: one that is younger", 247, nil, "SystemCallArchitectures",
		[]string{"native parisc"},
		[]string{"native"},
		"systemd 247 does not know parisc",
	},
	{
		"architectures: none that is older", 252, nil, "SystemCallArchitectures",
		[]string{"loongarch64"},
		nil,
		"systemd 252 does not know loongarch64",
	},

	{"mask: bits of both", 252, []string{"UMask=0007"}, "UMask", []string{"0070"}, []string{"0077"}, ""},
	{"mask: has them", 252, []string{"UMask=0077"}, "UMask", []string{"0027"}, nil, "0077 is already so"},
	{"mask: the default", 252, []string{"UMask=9"}, "UMask", []string{"0022"}, nil, "0022 is already so"},
	{
		"flags", 252,
		[]string{"SecureBits=noroot"},
		"SecureBits",
		[]string{"noroot noroot-locked"},
		[]string{"noroot-locked"},
		"",
	},

	{
		"paths: added, and may be missing", 252,
		[]string{"ReadOnlyPaths=/srv"},
		"ReadOnlyPaths",
		[]string{"/srv /opt", "-/boot"},
		[]string{"-/opt", "-/boot"},
		"",
	},
	{
		"paths: prefixes do not make another path", 252,
		[]string{"ReadOnlyPaths=-/srv +/opt"},
		"ReadOnlyPaths",
		[]string{"+/srv", "/opt"},
		nil, "already has these",
	},
	{
		"paths: links at the top do not make another path", 252,
		[]string{"ReadOnlyPaths=/var/run/x"},
		"ReadOnlyPaths",
		[]string{"/run/x"},
		nil, "already has these",
	},
	{
		"paths: the unit's reset", 252,
		[]string{"ReadOnlyPaths=/srv", "ReadOnlyPaths="},
		"ReadOnlyPaths",
		[]string{"/srv"},
		[]string{"-/srv"},
		"",
	},
	{
		"paths: below a hidden one", 252,
		[]string{"InaccessiblePaths=/srv"},
		"ReadOnlyPaths",
		[]string{"/srv/www"},
		nil,
		"already has these",
	},
	{"paths: blanks are quoted", 252, nil, "InaccessiblePaths", []string{`"/srv/a b"`}, []string{`"-/srv/a b"`}, ""},
	{
		"paths: one that the unit covers would show", 252,
		[]string{"TemporaryFileSystem=/srv:ro"},
		"ReadOnlyPaths",
		[]string{"/srv", "/opt"},
		[]string{"-/opt"},
		"would uncover",
	},
	{
		"paths: one that ProtectHome covers would show", 252,
		[]string{"ProtectHome=tmpfs"},
		"NoExecPaths",
		[]string{"/home"},
		nil, "would uncover",
	},
	{
		"paths: hiding is stronger than covering", 252,
		[]string{"TemporaryFileSystem=/srv"},
		"InaccessiblePaths",
		[]string{"/srv"},
		[]string{"-/srv"},
		"",
	},
	{
		"paths: ProtectSystem would uncover /", 252,
		[]string{"TemporaryFileSystem=/:ro"},
		"ProtectSystem",
		[]string{"strict"},
		nil, "would uncover /",
	},
	{
		"paths: a cover", 252,
		[]string{"TemporaryFileSystem=/srv:ro"},
		"TemporaryFileSystem",
		[]string{"/srv:size=1M", "/opt:ro"},
		[]string{"/opt:ro"},
		"",
	},

	{
		"view: an empty root", 252,
		nil, "TemporaryFileSystem",
		[]string{"/:ro"},
		[]string{"/:ro"},
		"",
	},
	{
		"view: beside another mount at / below it", 252,
		[]string{"ProtectSystem=strict", "TemporaryFileSystem=/srv"},
		"TemporaryFileSystem",
		[]string{"/:ro"},
		[]string{"/boot:ro", "/etc:ro", "/home:ro", "/mnt:ro", "/opt:ro", "/root:ro", "/run:ro", "/var:ro"},
		"does not mount at / beside ProtectSystem=strict",
	},
	{
		"view: beside a mount at /etc, which would not be there", 252,
		[]string{"ProtectSystem=full"},
		"TemporaryFileSystem",
		[]string{"/:ro"},
		[]string{"/boot:ro", "/etc:ro", "/home:ro", "/mnt:ro", "/opt:ro", "/root:ro", "/run:ro", "/srv:ro", "/var:ro"},
		"does not mount at / beside ProtectSystem=full",
	},
	{
		"view: beside a list that names /", 252,
		[]string{"ReadOnlyPaths=/"},
		"TemporaryFileSystem",
		[]string{"/:ro", "/usr/bin:ro"},
		[]string{
			"/boot:ro", "/etc:ro", "/home:ro", "/mnt:ro", "/opt:ro", "/root:ro", "/run:ro", "/srv:ro", "/var:ro",
			"/usr/bin:ro",
		},
		"does not mount at / beside ReadOnlyPaths=/",
	},
	{
		"view: nothing that could be executed is noexec", 252,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"TemporaryFileSystem",
		[]string{"/var:ro", "/srv"},
		[]string{"/var:ro,noexec"},
		"would make what is in /srv executable",
	},
	{
		"view: not where the unit shows something else", 252,
		[]string{"BindPaths=/a:/srv"},
		"TemporaryFileSystem",
		[]string{"/srv:ro", "/opt:ro"},
		[]string{"/opt:ro"},
		"would hide what the unit shows at /srv by BindPaths=",
	},
	{
		"view: a link through which the unit closes something stays", 252,
		[]string{"InaccessiblePaths=-/var/run/docker.sock"},
		"TemporaryFileSystem",
		[]string{"/var:ro", "/srv:ro"},
		[]string{"/srv:ro"},
		"would take away the link /var/run, through which the unit names a path of InaccessiblePaths=",
	},
	{
		"view: a link through which the unit covers something stays", 252,
		[]string{"TemporaryFileSystem=/var/run/x"},
		"TemporaryFileSystem",
		[]string{"/var:ro", "/run:ro", "/var/lib:ro"},
		[]string{"/run:ro", "/var/lib:ro"},
		"link /var/run",
	},
	{
		"view: a link through which the unit shows something else stays", 252,
		[]string{"BindPaths=/run/x:/var/lock/x"},
		"TemporaryFileSystem",
		[]string{"/var:ro", "/srv:ro"},
		[]string{"/srv:ro"},
		"the link /var/lock, through which the unit names a path of BindPaths=",
	},
	{
		"view: a link that a specifier can name stays", 252,
		[]string{"ReadOnlyPaths=-/var/%I"},
		"TemporaryFileSystem",
		[]string{"/var:ro", "/var/lib:ro"},
		[]string{"/var/lib:ro"},
		"link /var/run",
	},
	{
		"view: links at the top stay", 252,
		[]string{"NoExecPaths=-/lib/x"},
		"TemporaryFileSystem",
		[]string{"/:ro"},
		[]string{"/boot:ro", "/etc:ro", "/home:ro", "/mnt:ro", "/opt:ro", "/root:ro", "/run:ro", "/srv:ro", "/var:ro"},
		"would take away the link /lib, through which the unit names a path of NoExecPaths=: at the directories below it",
	},
	{
		"view: links stay to what the unit closes something in", 252,
		[]string{"ProtectKernelModules=yes"},
		"TemporaryFileSystem",
		[]string{"/:ro"},
		[]string{"/boot:ro", "/etc:ro", "/home:ro", "/mnt:ro", "/opt:ro", "/root:ro", "/run:ro", "/srv:ro", "/var:ro"},
		"what the unit closes in /usr/lib by ProtectKernelModules=yes would be open in /lib",
	},
	{
		"view: another name of what the unit closes something in", 252,
		[]string{"InaccessiblePaths=/run/x/secret", "ProtectKernelModules=yes", "NoExecPaths=/run/y/z"},
		"BindPaths",
		[]string{"/var/run/x", "-/lib", "/lib64", "/var/run/y", "/var/run/z", "/run/x"},
		[]string{"-/lib64", "-/var/run/z", "-/run/x"},
		"the unit keeps closed /run/x (InaccessiblePaths=), /usr/lib (ProtectKernelModules=yes), /run/y (NoExecPaths=)",
	},
	{
		"view: not what an image of the unit hides", 252,
		[]string{"MountImages=/app.raw:/srv/app", "ExtensionImages=/x.raw"},
		"BindPaths",
		[]string{"/srv/app/data", "/opt/x", "/srv/data"},
		[]string{"-/srv/data"},
		"/srv/app/data (MountImages=), /opt/x (ExtensionImages=)",
	},
	{
		"view: not what an extension of the unit hides", 257,
		[]string{"ExtensionDirectories=/x"},
		"BindReadOnlyPaths",
		[]string{"/usr/lib/x", "/srv/data"},
		[]string{"-/srv/data"},
		"/usr/lib/x (ExtensionDirectories=)",
	},
	{
		"paths: not what an image of the unit has read-only", 252,
		[]string{"MountImages=/app.raw:/srv/app"},
		"ReadWritePaths",
		[]string{"/srv/app/data"},
		nil, "/srv/app/data (MountImages=)",
	},
	{
		"view: paths with blanks stay quoted", 252,
		[]string{"ReadOnlyPaths=/"},
		"TemporaryFileSystem",
		[]string{`"/srv/my files:ro"`},
		[]string{`"/srv/my files:ro"`},
		"",
	},
	{
		"view: shown", 252,
		[]string{"BindReadOnlyPaths=/a:/srv/a", "ProtectSystem=strict"},
		"BindReadOnlyPaths",
		[]string{"/srv/a -/etc/x"},
		[]string{"-/etc/x"},
		"",
	},
	{
		"view: shown writable", 252,
		[]string{"ProtectSystem=full"},
		"BindPaths",
		[]string{"/var/lib/x", "/etc/x"},
		[]string{"-/var/lib/x"},
		"the unit keeps closed /etc/x (ProtectSystem=full)",
	},
	{
		"view: not writable what is strict", 252,
		[]string{"ProtectSystem=strict", "ReadWritePaths=/var/lib/x"},
		"BindPaths",
		[]string{"/var/lib/x", "/var/lib/y"},
		[]string{"-/var/lib/x"},
		"/var/lib/y (ProtectSystem=strict)",
	},
	{
		"view: not writable what is read-only by its name", 252,
		[]string{"ReadOnlyPaths=/srv/x"},
		"BindPaths",
		[]string{"/srv/x"},
		nil, "/srv/x (ReadOnlyPaths=)",
	},
	{
		"view: not writable a directory of the unit that is not", 257,
		[]string{"StateDirectory=a::ro"},
		"BindPaths",
		[]string{"/var/lib/a"},
		nil, "StateDirectory=",
	},
	{
		"view: not executable", 252,
		[]string{"NoExecPaths=/", "ExecPaths=/usr"},
		"BindReadOnlyPaths",
		[]string{"/etc/x", "/usr/bin/x"},
		[]string{"-/usr/bin/x"},
		"/etc/x (NoExecPaths=)",
	},
	{
		"view: not what the unit hides", 252,
		[]string{
			"TemporaryFileSystem=/srv", "InaccessiblePaths=/opt", "ProtectHome=tmpfs", "PrivateTmp=yes",
			"ProtectKernelModules=yes", "BindPaths=/a:/b",
		},
		"BindReadOnlyPaths",
		[]string{
			"/srv", "/srv/x", "/opt/x", "/home/x", "/root", "/tmp/x", "/var/tmp", "/usr/lib/modules/x", "/b/x", "/usr",
		},
		[]string{"-/usr"},
		"/srv (TemporaryFileSystem=), /srv/x (TemporaryFileSystem=), /opt/x (InaccessiblePaths=), /home/x " +
			"(ProtectHome=tmpfs), /root (ProtectHome=tmpfs), /tmp/x (PrivateTmp=yes), /var/tmp (PrivateTmp=yes), " +
			"/usr/lib/modules/x (ProtectKernelModules=yes), /b/x (BindPaths=)",
	},
	{
		"view: not in a root of its own", 252,
		[]string{"RootImage=/x.raw"},
		"BindReadOnlyPaths",
		[]string{"/etc/x"},
		nil, "/etc/x (RootImage=)",
	},
	{
		"view: already shown", 252,
		[]string{"BindPaths=/srv"},
		"BindPaths",
		[]string{"/srv"},
		nil, "already has these",
	},
	{"view: another root", 252, nil, "RootDirectory", []string{"/srv/x"}, []string{"/srv/x"}, ""},
	{
		"view: its own root", 252,
		[]string{"RootImage=/x.raw"},
		"RootDirectory",
		[]string{"/srv/x"},
		nil, "the unit's own RootImage= decides",
	},
	{
		"view: another root in which its paths are others", 252,
		[]string{"ReadOnlyPaths=/srv"},
		"RootDirectory",
		[]string{"/srv/x"},
		nil, "ReadOnlyPaths= would mean other files",
	},
	{
		"view: another root that the unit closes", 252,
		[]string{"ProtectSystem=full"},
		"RootDirectory",
		[]string{"/usr/share/x"},
		nil, "ProtectSystem=full",
	},
	{
		"view: another root that the unit hides", 252,
		[]string{"ProtectHome=yes"},
		"RootDirectory",
		[]string{"/home/x"},
		nil, "ProtectHome=yes",
	},

	{
		"paths: strict would open what is below a read-only /", 252,
		[]string{"ReadOnlyPaths=/"},
		"ProtectSystem",
		[]string{"strict"},
		nil, "would make /proc writable, which the unit keeps closed by ReadOnlyPaths=",
	},
	{"clash: forks", 257, []string{"Type=forking"}, "PrivatePIDs", []string{"yes"}, nil, "does not load"},
	{
		"clash: no longer", 257,
		[]string{"Type=forking", "Type=simple"},
		"PrivatePIDs",
		[]string{"yes"},
		[]string{"yes"},
		"",
	},
	{"clash: of one value", 262, []string{"User=x"}, "PrivateUsers", []string{"managed"}, nil, "does not load"},
	{"clash: not of another", 262, []string{"User=x"}, "PrivateUsers", []string{"yes"}, []string{"yes"}, ""},

	{
		"exceptions: from what the profile closes", 252, nil, "ReadWritePaths",
		[]string{"/run", "-/var/log/x"},
		[]string{"-/run", "-/var/log/x"},
		"",
	},
	{
		"exceptions: not from what the unit closes", 252,
		[]string{"ProtectSystem=strict"},
		"ReadWritePaths",
		[]string{"/run"},
		nil, "/run (ProtectSystem=strict)",
	},
	{
		"exceptions: nor through another name of it", 252,
		[]string{"ProtectSystem=yes"},
		"ReadWritePaths",
		[]string{"/lib/x", "/run"},
		[]string{"-/run"},
		"/usr/lib/x (ProtectSystem=yes)",
	},
	{
		"exceptions: the unit has this one", 252,
		[]string{"ProtectSystem=strict", "ReadWritePaths=/run"},
		"ReadWritePaths",
		[]string{"/run/x"},
		[]string{"-/run/x"},
		"",
	},
	{
		"exceptions: but closed what is below", 252,
		[]string{"ReadWritePaths=/run", "ReadOnlyPaths=/run/x"},
		"ReadWritePaths",
		[]string{"/run/x/y"},
		nil, "ReadOnlyPaths=",
	},
	{
		"exceptions: / would open what ProtectSystem=full closes", 252,
		[]string{"ProtectSystem=full"},
		"ReadWritePaths",
		[]string{"/"},
		nil, "ProtectSystem=full",
	},
	{
		"exceptions: through DynamicUser", 252,
		[]string{"DynamicUser=yes"},
		"ReadWritePaths",
		[]string{"/srv"},
		nil,
		"ProtectSystem=strict",
	},
	{
		"exceptions: from ProtectKernelTunables", 252,
		[]string{"ProtectKernelTunables=yes"},
		"ReadWritePaths",
		[]string{"/proc/sys/net"},
		nil, "ProtectKernelTunables=yes",
	},
	{
		"exceptions: from what is mounted read-only", 252,
		[]string{"BindReadOnlyPaths=/a:/srv"},
		"ReadWritePaths",
		[]string{"/srv/x"},
		nil, "BindReadOnlyPaths=",
	},
	{
		"exceptions: from a directory of the unit that is read-only", 257,
		[]string{"StateDirectory=a b::ro c:d:ro"},
		"ReadWritePaths",
		[]string{"/var/lib/a/x", "/var/lib/b/x", "/var/lib/c", "/var/lib/d/x"},
		[]string{"-/var/lib/a/x"},
		"StateDirectory=",
	},
	{
		"exceptions: from a path that only systemd can tell", 252,
		[]string{"ReadOnlyPaths=/srv/%H/x"},
		"ReadWritePaths",
		[]string{"/srv/a/x", "/opt"},
		[]string{"-/opt"},
		"/srv/a/x (ReadOnlyPaths=)",
	},
	{
		"exceptions: of the unit that only systemd can tell", 252,
		[]string{"ReadOnlyPaths=/srv", "ReadWritePaths=/srv/%H"},
		"ReadWritePaths",
		[]string{"/srv/%H/x"},
		nil,
		"ReadOnlyPaths=",
	},
	{
		"exceptions: inside a root of its own", 252,
		[]string{"RootDirectory=/srv/root"},
		"ReadWritePaths",
		[]string{"+/etc"},
		[]string{"-+/etc"},
		"",
	},
	{
		"exceptions: inside a root of its own that closes paths", 252,
		[]string{"RootDirectory=/srv/root", "ReadOnlyPaths=/etc/x"},
		"ReadWritePaths",
		[]string{"+/etc"},
		nil,
		"RootDirectory=",
	},
	{
		"exceptions: inside an image", 252,
		[]string{"RootImage=/srv/root.raw"},
		"ReadWritePaths",
		[]string{"+/etc"},
		nil,
		"RootImage=",
	},
	{
		"a mount of /run: closed by strict", 252,
		[]string{"ProtectSystem=strict"},
		"ProtectProc",
		[]string{"invisible"},
		nil, "/run",
	},
	{
		"a mount of /run: open", 252,
		[]string{"ProtectSystem=strict", "ReadWritePaths=/run"},
		"ProtectProc",
		[]string{"invisible"},
		[]string{"invisible"},
		"",
	},
	{
		"a mount of /run: closed by name", 252,
		[]string{"ProtectSystem=strict", "ReadOnlyPaths=/run"},
		"ProtectProc",
		[]string{"invisible"},
		[]string{"invisible"},
		"",
	},
	{
		"a mount of /run: there already", 252,
		[]string{"ProtectSystem=strict", "ProtectKernelTunables=yes"},
		"ProtectProc",
		[]string{"invisible"},
		[]string{"invisible"},
		"",
	},
	{
		"a mount of /run: not in a root of its own without it", 252,
		[]string{"RootDirectory=/srv/root", "MountAPIVFS=no", "ReadOnlyPaths=/"},
		"ProtectProc",
		[]string{"invisible"},
		nil, "/run",
	},
	{
		"a mount of /run: in a root of its own", 252,
		[]string{"RootDirectory=/srv/root", "ReadOnlyPaths=/"},
		"ProtectProc",
		[]string{"invisible"},
		[]string{"invisible"},
		"",
	},
	{
		"a mount of /run: turned off", 252,
		[]string{"MountAPIVFS=n", "ReadOnlyPaths=/"},
		"ProtectProc",
		[]string{"invisible"},
		nil, "/run",
	},
	{
		"exceptions: within a root of its own", 252,
		[]string{"RootDirectory=/srv/root"},
		"ReadWritePaths",
		[]string{"/etc"},
		nil, "RootDirectory=",
	},
	{
		"exceptions: the unit's own would open more", 252,
		[]string{"ProtectSystem=yes", "ReadWritePaths=/usr"},
		"ProtectSystem",
		[]string{"strict"},
		nil, "would then open /usr",
	},
	{"exceptions: for programs", 252, []string{"NoExecPaths=/"}, "ExecPaths", []string{"/usr"}, nil, "NoExecPaths="},
	{"exceptions: for programs, of the profile's own", 252, nil, "ExecPaths", []string{"/usr"}, []string{"-/usr"}, ""},
	{
		"paths: no programs where strict alone forbids to write", 257,
		[]string{"ProtectSystem=strict"},
		"NoExecPaths",
		[]string{"/opt", "/"},
		[]string{"-/"},
		"would make writable what the unit keeps closed by ProtectSystem=strict: /opt",
	},
	{
		"paths: no programs where nothing forbids to write", 257,
		[]string{"ProtectSystem=full"},
		"NoExecPaths",
		[]string{"/opt"},
		[]string{"-/opt"},
		"",
	},
	{
		"paths: no programs where the unit can write anyway", 257,
		[]string{"ProtectSystem=strict", "ReadWritePaths=/opt"},
		"NoExecPaths",
		[]string{"/opt/x"},
		[]string{"-/opt/x"},
		"",
	},
	{
		"paths: no programs in what is read-only by name", 257,
		[]string{"ReadOnlyPaths=/opt"},
		"NoExecPaths",
		[]string{"/opt", "/opt/x"},
		[]string{"-/opt"},
		"ReadOnlyPaths=",
	},
	{
		"paths: no programs in a /tmp of its own", 257,
		[]string{"ProtectSystem=strict", "PrivateTmp=yes"},
		"NoExecPaths",
		[]string{"/tmp"},
		[]string{"-/tmp"},
		"",
	},
	{
		"exceptions: for programs where strict alone forbids to write", 257,
		[]string{"ProtectSystem=strict"},
		"ExecPaths",
		[]string{"/opt"},
		nil, "ProtectSystem=strict",
	},

	{"devices: of the profile", 252, nil, "DeviceAllow", []string{"/dev/kvm rw"}, []string{"/dev/kvm rw"}, ""},
	{
		"devices: the unit is closed", 252,
		[]string{"PrivateDevices=yes"},
		"DeviceAllow",
		[]string{"/dev/kvm rw"},
		nil,
		"only its own devices",
	},
	{
		"devices: the unit has some", 252,
		[]string{"DeviceAllow=/dev/null"},
		"DeviceAllow",
		[]string{"/dev/kvm rw"},
		nil,
		"only its own devices",
	},

	{
		"addresses: denied", 252,
		[]string{"IPAddressDeny=10.0.0.0/8"},
		"IPAddressDeny",
		[]string{"10.1.0.0/16 192.168.0.0/16"},
		[]string{"192.168.0.0/16"},
		"",
	},
	{
		"addresses: allowed to none but the unit's", 252,
		[]string{"IPAddressDeny=any"},
		"IPAddressAllow",
		[]string{"localhost"},
		nil, "only its own addresses",
	},
	{"addresses: allowed", 252, nil, "IPAddressAllow", []string{"localhost"}, []string{"localhost"}, ""},
	{
		"ports: denied", 252,
		[]string{"SocketBindDeny=tcp:80"},
		"SocketBindDeny",
		[]string{"tcp:80", "any"},
		[]string{"any"},
		"",
	},
	{
		"ports: allowed to none but the unit's", 252,
		[]string{"SocketBindDeny=any"},
		"SocketBindAllow",
		[]string{"tcp:80"},
		nil, "only its own ports",
	},
	{"ports: too old", 247, nil, "SocketBindDeny", []string{"any"}, nil, "needs systemd 249"},
	{
		"interfaces: both allow", 252,
		[]string{"RestrictNetworkInterfaces=lo eth0"},
		"RestrictNetworkInterfaces",
		[]string{"lo eth1"},
		[]string{"", "lo"},
		"",
	},
	{
		"interfaces: denied from an allow-list", 252,
		[]string{"RestrictNetworkInterfaces=lo eth0"},
		"RestrictNetworkInterfaces",
		[]string{"~eth0"},
		[]string{"", "lo"},
		"",
	},
	{
		"interfaces: allowed against a deny-list", 252,
		[]string{"RestrictNetworkInterfaces=~eth0"},
		"RestrictNetworkInterfaces",
		[]string{"lo eth0"},
		[]string{"", "lo"},
		"",
	},
	{
		"interfaces: deny-lists add up", 252,
		[]string{"RestrictNetworkInterfaces=~eth0"},
		"RestrictNetworkInterfaces",
		[]string{"~eth0 eth1"},
		[]string{"~eth1"},
		"",
	},
	{
		"interfaces: none in common", 252,
		[]string{"RestrictNetworkInterfaces=lo"},
		"RestrictNetworkInterfaces",
		[]string{"eth0"},
		nil, "allows only lo",
	},
	{
		"file systems: groups cannot be compared", 252,
		[]string{"RestrictFileSystems=ext4"},
		"RestrictFileSystems",
		[]string{"@basic-api"},
		nil, "cannot be compared",
	},
}

func TestMerge(t *testing.T) {
	for _, tt := range mergeRows {
		t.Run(tt.name, func(t *testing.T) {
			got := merge(t, tt.directive, having(tt.version, tt.have...), tt.want...)
			if diff := cmp.Diff(tt.lines, got.Lines); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if !strings.Contains(got.Note, tt.note) || tt.note == "" && got.Note != "" || got.Lines == nil &&
				got.Note == "" {
				t.Errorf("note %q, want %q", got.Note, tt.note)
			}
		})
	}
}

func TestMergeCoversEveryKind(t *testing.T) {
	kinds := map[string]bool{}
	for _, row := range mergeRows {
		d, _ := directive.Lookup(row.directive)
		kinds[d.Rule()] = true
	}
	for _, d := range directive.All() {
		if !kinds[d.Rule()] {
			t.Errorf("no row merges %s= or another that %q", d.Name, d.Rule())
		}
	}
}

// TestWeakerCoversQuoted: what is tried instead of an empty root keeps the blanks of paths.
func TestWeakerCoversQuoted(t *testing.T) {
	d, _ := directive.Lookup("TemporaryFileSystem")
	weaker := d.Weaker([]string{`"/srv/my files:ro" /:ro`}, 257)
	if len(weaker) != 1 || !slices.Contains(weaker[0], `"/srv/my files:ro"`) || slices.Contains(weaker[0], "/:ro") {
		t.Errorf("%q", weaker)
	}
}

// TestBeside: what does not go together in one plan becomes what does.
func TestBeside(t *testing.T) {
	split := []string{
		"/boot:ro", "/etc:ro", "/home:ro", "/mnt:ro", "/opt:ro", "/root:ro", "/run:ro", "/srv:ro", "/var:ro",
	}
	for _, tt := range []struct {
		directive string
		want      []string
		others    map[string][]string
		lines     []string
	}{
		{"TemporaryFileSystem", []string{"/:ro"}, map[string][]string{"ProtectSystem": {"strict"}}, split},
		{"TemporaryFileSystem", []string{"/:ro"}, map[string][]string{"ProtectSystem": {"full"}}, split},
		{"TemporaryFileSystem", []string{"/:ro"}, map[string][]string{"NoExecPaths": {"/"}}, split},
		{"TemporaryFileSystem", []string{"/:ro"}, map[string][]string{"RootDirectory": {"/srv/x"}}, split},
		{"TemporaryFileSystem", []string{"/:ro"}, map[string][]string{"ProtectSystem": {"yes"}}, []string{"/:ro"}},
		{"TemporaryFileSystem", []string{"/:ro"}, map[string][]string{"ProtectSystem": nil}, []string{"/:ro"}},
		{
			"TemporaryFileSystem",
			[]string{`"/srv/my files:ro" /:ro`},
			map[string][]string{"ReadOnlyPaths": {"/"}},
			append([]string{`"/srv/my files:ro"`}, split...),
		},
		{
			"TemporaryFileSystem",
			[]string{"/:ro"},
			map[string][]string{"BindReadOnlyPaths": {"/usr /lib /lib64"}, "ProtectKernelModules": {"yes"}},
			split,
		},
		{
			"TemporaryFileSystem",
			[]string{"/:ro"},
			map[string][]string{"BindReadOnlyPaths": {"/usr /lib64"}, "ProtectKernelModules": {"yes"}},
			[]string{"/:ro"},
		},
		{
			"BindReadOnlyPaths",
			[]string{"/usr /lib /lib64"},
			map[string][]string{"TemporaryFileSystem": {"/:ro"}, "ProtectKernelModules": {"yes"}},
			[]string{"/usr", "/lib64"},
		},
		{
			"BindPaths",
			[]string{"-/var/run/x", "/var/run/y"},
			map[string][]string{"TemporaryFileSystem": {"/var:ro /run:ro"}, "InaccessiblePaths": {"-/run/x/secret"}},
			[]string{"/var/run/y"},
		},
		{
			"InaccessiblePaths",
			[]string{"-/var/run/x /srv/y", "-/bin/z"},
			map[string][]string{"TemporaryFileSystem": {"/var:ro"}},
			[]string{"-/var/run/x /srv/y", "-/bin/z", "-/run/x"},
		},
		{
			"BindReadOnlyPaths",
			[]string{"/etc/x", "-/var/x"},
			map[string][]string{"BindPaths": {"-/etc/y /var/x"}},
			[]string{"/etc/x"},
		},
		{"BindPaths", []string{"/var/x"}, map[string][]string{"BindReadOnlyPaths": {"/var/x"}}, []string{"/var/x"}},
		{"BindReadOnlyPaths", nil, map[string][]string{"BindPaths": {"/x"}}, nil},
	} {
		d, _ := directive.Lookup(tt.directive)
		if diff := cmp.Diff(tt.lines, d.Beside(tt.want, tt.others)); diff != "" {
			t.Errorf("%s=%q beside %q (-want +got):\n%s", tt.directive, tt.want, tt.others, diff)
		}
	}
}
