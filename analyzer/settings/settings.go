// Package settings is what systemd knows about a service: it reads the assignments of a unit as a systemd version does, with
// what it ignores, implies and refuses.
//
// Start with [Read]. The package is pure and can be used by several goroutines at once.
package settings

import (
	"errors"

	"temper/internal/directive"
)

// SinceOffline is the first systemd whose systemd-analyze security has --offline. A unit of an earlier one is read as its
// running manager shows it.
const SinceOffline = 250

var (
	// ErrRefused says that systemd does not load the unit; the error tells where and why.
	ErrRefused = errors.New("systemd refuses the unit")
	// ErrMasked says that nothing can start the unit.
	ErrMasked = errors.New("the unit is masked")
	// ErrNotService says that the unit is of another type.
	ErrNotService = errors.New("only services are scored")
)

// Systemd is as which systemd a unit is read.
type Systemd struct {
	Version int                // major
	Calls   directive.Syscalls // with the architecture and the libseccomp
}

// Settings is what systemd knows about a loaded service, as far as its exposure depends on it. [Read] fills it from unit
// files; package temper/analyzer/online fills it from a running manager. Nobody may change what it refers to.
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

// On reports whether a directive has a value other than no.
func (s *Settings) On(name string) bool {
	v := s.Values[name]
	return v != "" && v != "no"
}

// Privileged reports whether the service runs as root. Only the text counts: no user is looked up.
func (s *Settings) Privileged() bool {
	if IsRoot(s.User) {
		return true
	}
	return s.User == "" && !s.On("DynamicUser")
}

// IsRoot reports whether systemd-analyze takes a user for root.
func IsRoot(user string) bool { return user == "root" || user == "0" }

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
		own = own || s.On(name)
	}
	if own {
		s.Values["PrivateMounts"] = "yes"
	}
}
