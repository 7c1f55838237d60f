package integration_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"temper/harness/place"
	"temper/internal/directive"
	"temper/internal/syscalls"
	"temper/internal/systemd"
	"temper/internal/values"
)

// properties are what systemd has of a loaded unit.
type properties systemd.Properties

func (p properties) state() string { return systemd.Get[string](systemd.Properties(p), "LoadState") }

// load makes systemd load all copies at once, and reads what it has of each service. It does not ask for what a unit of
// any type has: for its UnitFileState= the manager reads every directory of unit files again, for each copy.
func load(t *testing.T, p *place.Place, copies []copied) map[string]properties {
	t.Helper()
	command(t, p, "systemctl start keep.target") // whose ordering keeps every copy loaded
	loaded := map[string]properties{}
	for _, c := range copies {
		var props properties
		var state string
		at := dbus.ObjectPath("/org/freedesktop/systemd1/unit/" + sdbus.PathBusEscape(instance(c.name)))
		unit := p.Manager().Bus().Object("org.freedesktop.systemd1", at)
		get := "org.freedesktop.DBus.Properties.GetAll"
		err := unit.CallWithContext(t.Context(), get, 0, "org.freedesktop.systemd1.Service").Store(&props)
		if err == nil {
			err = unit.StoreProperty("org.freedesktop.systemd1.Unit.LoadState", &state)
		}
		if err != nil {
			t.Fatalf("%s: %v (%v)", c.name, err, p.Err())
		}
		props["LoadState"] = state
		loaded[c.name] = props
	}
	return loaded
}

func (p properties) strings(name string) []string {
	s, _ := p[name].([]string)
	return s
}

// text is the value of an ordered directive as a unit file has it.
func (p properties) text(name string) (string, bool) {
	for _, n := range []string{name + "Ex", name} {
		switch v := p[n].(type) {
		case bool:
			if v {
				return "yes", true
			}
			return "no", true
		case string:
			return v, true
		case []any: // (ss), the value and the host name
			s, ok := v[0].(string)
			return s, ok
		}
	}
	return "", false
}

// filter is a (bas) property: a list that allows or denies.
func (p properties) filter(name string) (allow bool, names []string) {
	if v, ok := p[name].([]any); ok && len(v) == 2 {
		allow, _ = v[0].(bool)
		names, _ = v[1].([]string)
	}
	return allow, names
}

// permits returns what a filter lets through; a name with an error number is listed and refused all the same.
func (p properties) permits(name string) func(string) bool {
	allow, names := p.filter(name)
	listed := map[string]bool{}
	for _, n := range names {
		bare, _, suffixed := strings.Cut(n, ":")
		listed[bare] = !allow || !suffixed
	}
	return func(n string) bool { return listed[n] == allow }
}

// entries lists an array of structures as text.
func (p properties) entries(name string) []string {
	var list []string
	if all, ok := p[name].([][]any); ok {
		for _, e := range all {
			list = append(list, fmt.Sprint(e...))
		}
	}
	return list
}

// weakened says what a unit may do after that it could not before.
func weakened(before, after properties, version int) []string {
	var found []string
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	for _, d := range directive.All() {
		if !d.Ordered() || d.Since > version {
			continue
		}
		b, ok := before.text(d.Name)
		a, also := after.text(d.Name)
		vb, known := d.Value(b, 1<<20)
		va, knownToo := d.Value(a, 1<<20)
		if !ok || !also || !known || !knownToo {
			report("%s has no comparable value: %q, was %q", d.Name, a, b)
		} else if va.Rank < vb.Rank || va.Rank == vb.Rank && va.Name != vb.Name && d.Values[0].Rank != va.Rank {
			report("%s is %s, was %s", d.Name, a, b)
		}
	}
	for _, name := range []string{"CapabilityBoundingSet", "AmbientCapabilities", "RestrictNamespaces"} {
		b, a := before[name].(uint64), after[name].(uint64)
		if a&^b != 0 {
			report("%s is %x, was %x", name, a, b)
		}
	}
	if b, a := before["UMask"].(uint32), after["UMask"].(uint32); b&^a != 0 {
		report("UMask is %o, was %o", a, b)
	}
	for name, universe := range map[string][]string{
		"SystemCallFilter": syscalls.All(), "RestrictAddressFamilies": values.AddressFamilies(),
	} {
		b, a := before.permits(name), after.permits(name)
		for _, n := range universe {
			if a(n) && !b(n) {
				report("%s permits %s", name, n)
			}
		}
	}
	for name, without := range map[string]string{ // lists that open, and what they open
		"DeviceAllow": "DevicePolicy", "IPAddressAllow": "IPAddressDeny", "SocketBindAllow": "SocketBindDeny",
	} {
		closed := len(before.entries(without)) > 0
		if policy, ok := before.text(without); ok && without == "DevicePolicy" {
			closed = policy != "auto" || len(before.entries(name)) > 0
		}
		if more := missing(after.entries(name), before.entries(name)); closed && len(more) > 0 {
			report("%s has %v more", name, more)
		}
	}
	if b, a := before["RootDirectory"], after["RootDirectory"]; b != "" && a != b {
		report("RootDirectory is %v, was %v", a, b)
	}
	for _, name := range []string{
		"IPAddressDeny", "SocketBindDeny", "TemporaryFileSystem", "BindPaths", "BindReadOnlyPaths",
	} {
		if less := missing(before.entries(name), after.entries(name)); len(less) > 0 {
			report("%s lacks %v", name, less)
		}
	}
	for _, name := range []string{"InaccessiblePaths", "ReadOnlyPaths", "NoExecPaths"} {
		if less := missing(before.strings(name), after.strings(name)); len(less) > 0 {
			report("%s lacks %v", name, less)
		}
	}
	if b, a := before.strings("SystemCallArchitectures"), after.strings("SystemCallArchitectures"); len(b) > 0 &&
		(len(a) == 0 || len(missing(a, b)) > 0) {
		report("SystemCallArchitectures is %v, was %v", a, b)
	}
	for _, name := range []string{"RestrictFileSystems", "RestrictNetworkInterfaces"} {
		b, a := before.permits(name), after.permits(name)
		for _, n := range []string{"ext4", "@basic-api", "proc", "lo", "eth0", "other"} {
			if a(n) && !b(n) {
				report("%s permits %s", name, n)
			}
		}
	}
	return append(found, opened(before, after)...)
}

// missing returns the elements of a that b lacks.
func missing(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// opened finds paths that can be seen, written or executed after and could not before.
func opened(before, after properties) []string {
	var probes []string
	for _, p := range []properties{before, after} {
		for _, name := range []string{
			"ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths",
			"NoExecPaths",
		} {
			for _, w := range p.strings(name) {
				bare := path.Clean(strings.TrimLeft(w, "-+"))
				probes = append(probes, bare, bare+"/below", path.Dir(bare))
			}
		}
		for _, bare := range slices.Concat(p.destinations("BindPaths"), p.destinations("BindReadOnlyPaths")) {
			probes = append(probes, bare, bare+"/below")
		}
	}
	probes = append(probes, "/", "/etc", "/usr/lib/x", "/boot", "/home/x", "/root", "/run/user/0", "/srv", "/var/lib",
		"/proc/sys/x", "/sys/fs/cgroup/x")
	slices.Sort(probes)
	var found []string
	for _, probe := range slices.Compact(probes) {
		if b, a := access(before, probe), access(after, probe); a > b {
			found = append(found, fmt.Sprintf("%s: access %d, was %d", probe, a, b))
		}
		if b, a := executes(before, probe), executes(after, probe); a && !b {
			found = append(found, probe+" can be executed")
		}
	}
	return found
}

// nearest returns the rank of the entry for a path or, of those above it, the nearest.
func nearest(entries map[string]int, probe string, none int) int {
	for p := probe; ; p = path.Dir(p) {
		if r, ok := entries[p]; ok {
			return r
		}
		if p == "/" {
			return none
		}
	}
}

// access is 0 for a path that is hidden, 1 for one that can be read and 2 for one that can be written.
func access(p properties, probe string) int {
	entries := map[string]int{}
	put := func(name string, rank int) {
		name = path.Clean(name)
		if old, ok := entries[name]; !ok || rank < old {
			entries[name] = rank
		}
	}
	for rank, name := range []string{"InaccessiblePaths", "ReadOnlyPaths", "ReadWritePaths"} {
		for _, w := range p.strings(name) {
			put(strings.TrimLeft(w, "-+"), rank)
		}
	}
	for _, d := range directive.All() {
		text, _ := p.text(d.Name)
		if v, ok := d.Value(text, 1<<20); !d.Ordered() || !ok || v.Rank == 0 || d.Name == "PrivateTmp" ||
			d.Name == "ProcSubset" {
			continue
		}
		for _, e := range d.NamedPaths([]string{text}) {
			put(e.Path, map[directive.PathMode]int{directive.Hidden: 0, directive.ReadOnly: 1}[e.Mode])
		}
	}
	if system, _ := p.text("ProtectSystem"); system == "strict" {
		for _, api := range []string{"/proc", "/sys", "/dev", "/home", "/root", "/run/user"} {
			put(api, 2)
		}
	}
	covers := p.destinations("TemporaryFileSystem")
	p.binds(entries)
	shown := false
	for q := probe; ; q = path.Dir(q) {
		r, named := entries[q]
		if named && r == 0 || !named && !shown && slices.Contains(covers, q) {
			return 0
		}
		shown = shown || slices.Contains(p.destinations("BindPaths"), q) ||
			slices.Contains(p.destinations("BindReadOnlyPaths"), q)
		if q == "/" {
			break
		}
	}
	return nearest(entries, probe, 2)
}

// binds notes what is bound: of two mounts at one path systemd makes this one, unless the other hides the path.
func (p properties) binds(entries map[string]int) {
	for name, rank := range map[string]int{"BindPaths": 2, "BindReadOnlyPaths": 1} {
		for _, at := range p.destinations(name) {
			if old, named := entries[at]; !named || old > 0 {
				entries[at] = rank
			}
		}
	}
}

// destinations lists where a unit mounts by a list of structures, which begin with the source and the destination or,
// for an empty file system, with the destination.
func (p properties) destinations(name string) []string {
	var list []string
	all, _ := p[name].([][]any)
	for _, e := range all {
		at := min(1, len(e)-1)
		if len(e) == 2 {
			at = 0
		}
		if dir, ok := e[at].(string); ok {
			list = append(list, path.Clean(dir))
		}
	}
	return list
}

func executes(p properties, probe string) bool {
	entries := map[string]int{}
	for _, w := range p.strings("ExecPaths") {
		entries[path.Clean(strings.TrimLeft(w, "-+"))] = 1
	}
	for _, w := range p.strings("NoExecPaths") {
		entries[path.Clean(strings.TrimLeft(w, "-+"))] = 0
	}
	return nearest(entries, probe, 1) == 1
}
