package exposure

// Service is what systemd knows about a loaded service, as far as its exposure depends on it. It is read from unit
// files or from a running manager. Its maps and slices must not be changed.
type Service struct {
	Unit     string
	Fragment string
	Type     string // as in Type=
	Early    bool   // without default dependencies: started in an early boot phase

	// Values has the values of the directives that have a fixed list of values: "yes", "no" or a word. PrivateMounts is
	// "unset" if nothing sets it and systemd makes a difference between that and no.
	Values map[string]string

	User          string // "" is root, unless Values["DynamicUser"] is yes
	Groups        []string
	RootDirectory string
	RootImage     string
	UMask         uint32

	Bounding   uint64   // a bit for each capability, numbered as in linux/capability.h
	Ambient    uint64   // the same
	Namespaces []string // the namespaces that can still be used, such as "mnt"
	Families   FamilyFilter
	Calls      CallFilter

	Architectures []string // of system calls, as listed: "native", "x86-64", ...
	Devices       []string // as systemd lists them: "/dev/kvm:rw", the last first

	DenyAll    bool // every IPv4 and IPv6 address is denied
	AllowLocal bool // except addresses of this host
	AllowOther bool // except some addresses of other hosts
	IPFilter   bool // BPF programs filter packets
}

// FamilyFilter is what RestrictAddressFamilies= amounts to.
type FamilyFilter struct {
	Set      bool            // something is filtered
	Allow    bool            // Families is an allow-list, not a deny-list
	Families map[string]bool // such as "AF_INET"
}

// CallFilter is what SystemCallFilter= amounts to.
type CallFilter struct {
	Set   bool // something is filtered
	Allow bool // Calls is an allow-list, not a deny-list
	// Calls are the names on the list, with groups expanded. The number is the error that the call gets, -1 if none is
	// given.
	Calls map[string]int
}

// permits reports whether a call is allowed. A call on an allow-list that has an error number is refused with that
// error.
func (f CallFilter) permits(call string) bool {
	errno, listed := f.Calls[call]
	if f.Allow {
		return listed && errno < 0
	}
	return !listed
}

// On reports whether the directive has a value other than no.
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

// ImplyMounts sets PrivateMounts if another directive gives the service its own mounts. systemd-analyze does so for
// loaded units and not for unit files.
func (s *Service) ImplyMounts() {
	own := s.RootImage != ""
	for _, name := range mounting {
		own = own || s.On(name)
	}
	if own {
		s.Values["PrivateMounts"] = "yes"
	}
}
