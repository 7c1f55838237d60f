package analyzer

import "temper/internal/directive"

// Settings is what systemd knows about a loaded service, as far as its exposure depends on it. [Read] fills it from unit
// files; package temper/analyzer/online fills it from a running manager.
type Settings struct {
	Unit     string
	Fragment string
	Type     string // as in Type=
	Early    bool   // without default dependencies: started in an early boot phase

	// Values are the values of directives with a fixed list of them, by name: "yes", "no" or a word. PrivateMounts is
	// "unset" where nothing sets it and systemd tells that from no.
	Values map[string]string

	User          string // "" is root, unless Values["DynamicUser"] is yes
	Groups        []string
	RootDirectory string
	RootImage     string
	UMask         uint32

	Bounding   directive.CapSet
	Ambient    directive.CapSet
	Namespaces directive.NamespaceSet // those that can still be used
	Families   directive.FamilyFilter
	Calls      directive.SyscallFilter

	Architectures []string // of system calls, as listed: "native", "x86-64", ...
	Devices       []string // as systemd lists them: "/dev/kvm:rw", the last first

	DenyAll    bool // every IPv4 and IPv6 address is denied
	AllowLocal bool // but for addresses of this host
	AllowOther bool // but for others
	IPFilter   bool // BPF programs filter packets
}

// on reports whether a directive has a value other than no.
func (s *Settings) on(name string) bool {
	v := s.Values[name]
	return v != "" && v != "no"
}

// privileged reports whether the service runs as root. Only the text counts: no user is looked up.
func (s *Settings) privileged() bool {
	if isRoot(s.User) {
		return true
	}
	return s.User == "" && !s.on("DynamicUser")
}

func isRoot(user string) bool { return user == "root" || user == "0" }

// mounting are the directives that give a service its own mounts.
var mounting = []string{
	"PrivateDevices", "PrivateTmp", "ProtectControlGroups", "ProtectKernelTunables", "ProtectKernelModules", "ProtectHome",
	"ProtectSystem",
}

// ImplyMounts sets PrivateMounts where another directive gives the service its own mounts anyway. systemd-analyze does so
// for loaded units and not for unit files.
func (s *Settings) ImplyMounts() {
	own := s.RootImage != ""
	for _, name := range mounting {
		own = own || s.on(name)
	}
	if own {
		s.Values["PrivateMounts"] = "yes"
	}
}
