package online

import (
	"net/netip"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/directive"
	"temper/internal/systemd"
	"temper/internal/values"
)

// properties are the D-Bus properties of one unit; see org.freedesktop.systemd1(5).
type properties map[string]any

// get returns a property, or the zero value if this systemd does not have the property with the expected type.
// systemd-analyze treats properties that it does not know in the same way.
func get[T any](p properties, name string) T { return systemd.Get[T](p, name) }

// list is a filter as D-Bus shows it: whether it is an allow-list, and its names.
type list struct {
	Allow bool
	Names []string
}

func (p properties) settings(o exposure.Options) exposure.Service {
	s := exposure.Service{
		Unit:          get[string](p, "Id"),
		Fragment:      get[string](p, "FragmentPath"),
		Type:          get[string](p, "Type"),
		Early:         !get[bool](p, "DefaultDependencies"),
		Values:        p.values(),
		User:          get[string](p, "User"),
		Groups:        get[[]string](p, "SupplementaryGroups"),
		RootDirectory: get[string](p, "RootDirectory"),
		RootImage:     get[string](p, "RootImage"),
		UMask:         get[uint32](p, "UMask"),
		Bounding:      get[uint64](p, "CapabilityBoundingSet") & uint64(values.AllCapabilities),
		Ambient:       get[uint64](p, "AmbientCapabilities"),
		Namespaces:    values.NamespacesOf(get[uint64](p, "RestrictNamespaces")).Names(),
		Families:      families(get[list](p, "RestrictAddressFamilies")),
		Calls:         calls(get[list](p, "SystemCallFilter"), o),
		Architectures: get[[]string](p, "SystemCallArchitectures"),
		Devices:       devices(get[[]struct{ Path, Access string }](p, "DeviceAllow")),
		IPFilter:      len(get[[]string](p, "IPEgressFilterPath")) > 0,
	}
	if !o.Before(exposure.SinceOffline) {
		s.IPFilter = s.IPFilter || len(get[[]string](p, "IPIngressFilterPath")) > 0
	}
	for _, a := range get[[]prefix](p, "IPAddressAllow") {
		if a.local() {
			s.AllowLocal = true
		} else {
			s.AllowOther = true
		}
	}
	any4, any6 := false, false
	for _, d := range get[[]prefix](p, "IPAddressDeny") {
		any4 = any4 || len(d.Address) == 4 && d.Length == 0
		any6 = any6 || len(d.Address) == 16 && d.Length == 0
	}
	s.DenyAll = any4 && any6
	s.ImplyMounts()
	return s
}

// values returns the values of the directives that have a fixed list of values: words, and booleans as yes and no.
func (p properties) values() map[string]string {
	values := map[string]string{}
	for _, d := range directive.All() {
		v, ok := p[d.Name]
		if !ok || !d.Ordered() {
			continue
		}
		switch value := v.(type) {
		case string:
			values[d.Name] = value
		case bool:
			values[d.Name] = map[bool]string{true: "yes", false: "no"}[value]
		}
	}
	return values
}

func families(l list) exposure.FamilyFilter {
	f := exposure.FamilyFilter{Set: l.Allow || len(l.Names) > 0, Allow: l.Allow, Families: map[string]bool{}}
	for _, name := range l.Names {
		f.Families[name] = true
	}
	return f
}

// calls reads a filter. An error number can follow a name after a colon, and systemd-analyze ignores the number. Up to
// 249 it did not cut the number off, and so did not recognize the name.
func calls(l list, o exposure.Options) exposure.CallFilter {
	f := exposure.CallFilter{Set: l.Allow || len(l.Names) > 0, Allow: l.Allow, Calls: map[string]int{}}
	for _, text := range l.Names {
		name, _, hasError := strings.Cut(text, ":")
		switch {
		case !hasError || !o.Before(exposure.SinceOffline):
			f.Calls[name] = -1
		case !l.Allow:
			f.Calls[name] = 1
		}
	}
	return f
}

func devices(rules []struct{ Path, Access string }) []string {
	var list []string
	for _, r := range rules {
		list = append(list, r.Path+":"+r.Access)
	}
	return list
}

// prefix is an address and the length of its network.
type prefix struct {
	Family  int32
	Address []byte
	Length  uint32
}

// local reports whether p stands for addresses of this host.
func (p prefix) local() bool {
	addr, ok := netip.AddrFromSlice(p.Address)
	return ok && addr.IsLoopback() && !addr.Is4In6() && (addr.Is4() && p.Length == 8 || addr.Is6() && p.Length == 128)
}
