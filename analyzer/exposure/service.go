package exposure

// Service is what a systemd knows about a loaded service, as far as its exposure depends on it. Unit files or a running
// manager tell it. Nobody may change what it refers to.
type Service struct {
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

	Bounding   uint64   // a bit for each capability, numbered as in linux/capability.h
	Ambient    uint64   // the same
	Namespaces []string // those that can still be used, such as "mnt"
	Families   FamilyFilter
	Calls      CallFilter

	Architectures []string // of system calls, as listed: "native", "x86-64", ...
	Devices       []string // as systemd lists them: "/dev/kvm:rw", the last first

	DenyAll    bool // every IPv4 and IPv6 address is denied
	AllowLocal bool // but for addresses of this host
	AllowOther bool // but for others
	IPFilter   bool // BPF programs filter packets
}

// FamilyFilter is what RestrictAddressFamilies= amounts to.
type FamilyFilter struct {
	Set      bool            // something is filtered
	Allow    bool            // Families are the only ones allowed, rather than those that are denied
	Families map[string]bool // such as "AF_INET"
}

// CallFilter is what SystemCallFilter= amounts to.
type CallFilter struct {
	Set   bool // something is filtered
	Allow bool // Calls are the only ones allowed, rather than those that are denied
	// Calls are the names on the list, groups expanded. The number is the error that the call gets, -1 if none is
	// given.
	Calls map[string]int
}

// permits reports whether a call is let through. A call on an allow-list with an error number is refused with it.
func (f CallFilter) permits(call string) bool {
	errno, listed := f.Calls[call]
	if f.Allow {
		return listed && errno < 0
	}
	return !listed
}

// On reports whether a directive has a value other than no.
func (s *Service) On(name string) bool {
	v := s.Values[name]
	return v != "" && v != "no"
}

// isRoot reports whether systemd-analyze takes a user for root.
func isRoot(user string) bool { return user == "root" || user == "0" }

// mounting are the directives that give a service its own mounts.
var mounting = []string{
	"PrivateDevices", "PrivateTmp", "ProtectControlGroups", "ProtectKernelTunables", "ProtectKernelModules",
	"ProtectHome",
	"ProtectSystem",
}

// ImplyMounts sets PrivateMounts where another directive gives the service its own mounts anyway. systemd-analyze does
// so for loaded units and not for unit files.
func (s *Service) ImplyMounts() {
	own := s.RootImage != ""
	for _, name := range mounting {
		own = own || s.On(name)
	}
	if own {
		s.Values["PrivateMounts"] = "yes"
	}
}
