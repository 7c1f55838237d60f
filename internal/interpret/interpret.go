// Package interpret reads the assignments of a service as a systemd version does: it finds the resulting values, and
// what systemd ignores, implies and refuses.
//
// Start with [Read]. The package is pure and can be used by several goroutines at once.
package interpret

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/directive"
	"temper/internal/syscalls"
	"temper/internal/unit"
	"temper/internal/values"
)

// Reading is the result of reading a unit.
type Reading struct {
	Service exposure.Service

	r reader
}

// Read returns what systemd knows about a service after loading it from these files, with everything that it implies.
// The error wraps [exposure.ErrRefused] if systemd does not load the unit, [exposure.ErrMasked] or
// [exposure.ErrNotService].
func Read(u *unit.Unit, o exposure.Options) (*Reading, error) {
	if err := o.Valid(); err != nil {
		return nil, err
	}
	calls, err := syscalls.For(o.Release(), o.Arch, o.Libseccomp)
	if err != nil {
		return nil, err
	}
	switch {
	case !strings.HasSuffix(u.ID, ".service"):
		return nil, fmt.Errorf("%s: %w", u.Name, exposure.ErrNotService)
	case u.Masked:
		return nil, fmt.Errorf("%s: %w", u.Name, exposure.ErrMasked)
	}
	reading := &Reading{r: reader{
		Version: o.Release(), Calls: calls, user: o.User, unit: u, commands: map[string]int{},
		ignored: slices.Clone(u.Problems),
	}}
	r, s := &reading.r, &reading.Service
	if err := r.collect(); err != nil {
		return nil, err
	}
	r.fill(s)
	r.imply(s)
	if err := r.verify(s); err != nil {
		return nil, err
	}
	if o.Before(exposure.SinceOffline) {
		s.ImplyMounts()
	}
	return reading, nil
}

// Ignored returns the assignments that systemd ignores with a warning, and other problems of the files. Call it at most
// once.
func (reading *Reading) Ignored() []exposure.Problem {
	reading.r.findIgnored()
	var list []exposure.Problem
	for _, p := range reading.r.ignored {
		list = append(list, exposure.Problem{Path: p.Pos.Path, Line: p.Pos.Line, Message: p.Message})
	}
	return list
}

// reader turns the assignments of one unit into what systemd knows of the service.
type reader struct {
	Version  int          // systemd's major version
	Calls    syscalls.Set // for the architecture and the libseccomp
	user     bool         // the manager is a user manager
	unit     *unit.Unit
	read     []unit.Assignment // the assignments that systemd reads
	commands map[string]int    // how many commands each Exec directive has
	groups   []string          // of SupplementaryGroups=
	ignored  []unit.Problem
}

// collect finds the assignments that systemd reads. At a fatal one, systemd refuses the unit if it is in the fragment;
// in a drop-in, it ignores the rest of the drop-in.
func (r *reader) collect() error {
	r.read = r.unit.Assignments
	for i := 0; i < len(r.read); i++ {
		a := r.read[i]
		check, ok := fatal[a.Name]
		if !ok || a.Section != "Service" || r.Version < check.since {
			continue
		}
		err := check.check(r, a)
		if err != nil && a.Pos.Path == r.unit.Fragment {
			return refuse(a.Pos, err.Error())
		}
		if err != nil {
			r.ignore(a, err.Error()+": systemd ignores the rest of the drop-in")
			rest := slices.Clone(r.read[i:])
			rest = slices.DeleteFunc(rest, func(b unit.Assignment) bool { return b.Pos.Path == a.Pos.Path })
			r.read = append(slices.Clone(r.read[:i]), rest...)
			i--
		}
	}
	return nil
}

// refuse is the error for a unit that systemd does not load.
func refuse(at unit.Position, why string) error {
	return fmt.Errorf("%w: %w", unit.Problem{Pos: at, Message: why}, exposure.ErrRefused)
}

// values returns the values assigned to a directive of [Service], in order; with the prefix "Unit.", to one of [Unit].
func (r *reader) values(name string) []string {
	var values []string
	section := "Service"
	if rest, ok := strings.CutPrefix(name, "Unit."); ok {
		section, name = "Unit", rest
	}
	for i := range r.read {
		if a := &r.read[i]; a.Name == name && a.Section == section {
			values = append(values, a.Value)
		}
	}
	return values
}

// fill reads every directive that exposure depends on.
func (r *reader) fill(s *exposure.Service) {
	*s = exposure.Service{
		Unit:          r.unit.ID,
		Fragment:      r.unit.Fragment,
		Type:          r.serviceType(),
		Early:         !r.lastBool("Unit.DefaultDependencies", true),
		Values:        make(map[string]string, 64),
		User:          r.lastText("User"),
		Groups:        r.groups,
		RootDirectory: r.lastPath("RootDirectory"),
		RootImage:     r.lastPath("RootImage"),
		UMask:         r.umask(),
		Bounding:      uint64(values.ParseCapabilityBoundingSet(r.values("CapabilityBoundingSet"), r.Version)),
		Ambient:       uint64(values.ParseAmbientCapabilities(r.values("AmbientCapabilities"), r.Version)),
		Namespaces:    values.ParseRestrictNamespaces(r.values("RestrictNamespaces"), r.Version).Names(),
		Families: exposure.FamilyFilter(
			values.ParseRestrictAddressFamilies(r.values("RestrictAddressFamilies"), r.Version),
		),
		Calls:         exposure.CallFilter(r.Calls.ParseFilter(r.values("SystemCallFilter"), r.Version)),
		Architectures: r.architectures(),
		IPFilter:      r.filtersPackets(),
	}
	for _, d := range directive.All() {
		if d.Ordered() && r.Version >= d.Since {
			s.Values[d.Name] = r.ordered(d)
		}
	}
	r.addAddresses(s)
	for _, rule := range values.ParseDeviceAllow(r.values("DeviceAllow"), r.Version, r.expand) {
		s.Devices = append(s.Devices, rule.String())
	}
}

// ordered is the value of a directive with a fixed list of values.
func (r *reader) ordered(d *directive.Directive) string {
	values := r.expandArguments(d, r.values(d.Name))
	v, set := d.Read(values, r.Version)
	if value, differs := userDefaults[d.Name]; !set && r.user && differs {
		return value
	}
	if !set && d.Tristate(r.Version) {
		return "unset"
	}
	return v.Name
}

// userDefaults are the values that hold in the manager of a user where nothing is assigned, if they are others there.
var userDefaults = map[string]string{"KeyringMode": "inherit"}

// expandArguments replaces the specifiers in the argument of a value. A specifier that cannot be replaced makes the
// assignment invalid; one that only the running system knows is replaced by a valid name.
func (r *reader) expandArguments(d *directive.Directive, values []string) []string {
	if !d.TakesArgument() {
		return values
	}
	for i, v := range values {
		name, arg, ok := strings.Cut(v, ":")
		if !ok {
			continue
		}
		arg, err := r.expand(arg)
		if err != nil {
			arg = ""
		}
		values[i] = name + ":" + strings.ReplaceAll(arg, "%", "x")
	}
	return values
}

func (r *reader) lastBool(name string, value bool) bool {
	for _, v := range r.values(name) {
		if on, ok := unit.Bool(v); ok {
			value = on
		}
	}
	return value
}

// lastText is the last value of a directive, with its specifiers replaced.
func (r *reader) lastText(name string) string {
	values := r.values(name)
	if len(values) == 0 {
		return ""
	}
	text, _ := r.expand(values[len(values)-1])
	return text
}

// lastPath is the last value that is an absolute path; "" after an empty assignment.
func (r *reader) lastPath(name string) string {
	last := ""
	for _, v := range r.values(name) {
		if v == "" {
			last = ""
		} else if p, err := r.absolute(v); err == nil {
			last = p
		}
	}
	return last
}

// absolute expands and simplifies a path, and returns an error if it is not absolute.
func (r *reader) absolute(value string) (string, error) {
	text, err := r.expand(value)
	if err != nil {
		return "", err
	}
	p, ok := values.SimplifyPath(text, r.Version)
	if !ok || !path.IsAbs(p) {
		return "", fmt.Errorf("%q is not an absolute path, or has .. in it", text)
	}
	return p, nil
}

// defaultUMask is the default of a system service.
const defaultUMask = 0o022

func (r *reader) umask() uint32 {
	mask := uint64(defaultUMask)
	for _, v := range r.values("UMask") {
		if m, err := strconv.ParseUint(v, 8, 12); err == nil {
			mask = m
		}
	}
	return uint32(mask)
}

func (r *reader) architectures() []string {
	var list []string
	for _, v := range r.values("SystemCallArchitectures") {
		if v == "" {
			list = nil
		}
		words, _ := unit.Words(v)
		for _, w := range words {
			if values.KnownArchitecture(w, r.Version) {
				list = append(list, w)
			}
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// filtersPackets reports whether BPF programs filter packets. Up to 249 systemd-analyze read only the second list.
func (r *reader) filtersPackets() bool {
	names := []string{"IPIngressFilterPath", "IPEgressFilterPath"}
	if r.Version < exposure.SinceOffline {
		names = names[1:]
	}
	for _, name := range names {
		set := false
		for _, v := range r.values(name) {
			_, err := r.absolute(v)
			set = v != "" && (set || err == nil)
		}
		if set {
			return true
		}
	}
	return false
}

func (r *reader) addAddresses(s *exposure.Service) {
	denied := values.ParseIPAddresses(r.values("IPAddressDeny"), r.Version)
	any, _ := values.ParsePrefixes("any")
	s.DenyAll = !slices.ContainsFunc(any, func(p netip.Prefix) bool { return !slices.Contains(denied, p) })
	for _, p := range values.ParseIPAddresses(r.values("IPAddressAllow"), r.Version) {
		local := p.Addr().IsLoopback() && !p.Addr().Is4In6()
		if local && (r.Version >= exposure.SinceOffline || p.Bits() == 8 || p.Bits() == 128) {
			s.AllowLocal = true
		} else {
			s.AllowOther = true
		}
	}
}

// expand replaces specifiers. One that is known only at run time stays as it is, and is not an error.
func (r *reader) expand(value string) (string, error) { return r.unit.ExpandKnown(value) }
