package directive_test

import (
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"temper/internal/directive"
	"temper/internal/syscalls"
	"temper/internal/values"
)

var lawVersions = []int{247, 249, 252, 257, 258, 262}

// words are what random units and profiles are made of, per directive; "~" and resets are added.
var words = map[string][]string{
	"CapabilityBoundingSet":   {"CAP_KILL", "CAP_CHOWN", "cap_bpf", "CAP_SYS_ADMIN", "CAP_BOGUS", "3"},
	"AmbientCapabilities":     {"CAP_KILL", "CAP_CHOWN", "CAP_SYS_ADMIN"},
	"RestrictNamespaces":      {"net", "user", "mnt", "time", "cgroup"},
	"RestrictAddressFamilies": {"AF_UNIX", "AF_INET", "AF_MCTP", "AF_LOCAL", "AF_NETLINK"},
	"SystemCallFilter": {
		"@mount", "mount", "@system-service", "@privileged", "read", "ptrace", "@sandbox",
		"swapon",
	},
	"SystemCallArchitectures": {"native", "x86", "x86-64"},
	"IPAddressDeny":           {"any", "10.0.0.0/8", "10.1.2.3", "localhost"},
	"SocketBindDeny":          {"any", "tcp:80", "ipv6:udp:1-100"},
	"ReadOnlyPaths":           {"/", "/srv", "/srv/a", "/srv/a/b", "-/srv/b", "/home", "/usr", "-/var/run/x"},
	"InaccessiblePaths":       {"/srv", "/srv/a", "/srv/a/b", "-/srv/b", "/home", "-/var/run/x", "/run/x/y", "/lib/x"},
	"ReadWritePaths":          {"/srv", "/srv/a", "/srv/a/b", "/srv/b", "/", "/home/x", "/usr/lib", "/lib"},
	"TemporaryFileSystem":     {"/srv:ro", "/srv/a", "/home:ro", "/:ro", "/var:ro", "/var/run/x"},
	"BindReadOnlyPaths":       {"/srv", "/srv/a", "-/srv/a/b", "/home/x", "/usr/lib", "/home", "/lib", "/usr"},
	"BindPaths":               {"/srv", "-/srv/a", "/srv/a/b", "/home/x", "/usr/lib", "/etc/x", "/var/run/x", "/run"},
}

// assignments draws what a unit may say; a profile, which is checked, says no nonsense.
func assignments(t *rapid.T, d *directive.Directive, label string, profile bool) []string {
	if d.Ordered() {
		v := rapid.SampledFrom(d.Values).Draw(t, label).Name
		if !profile && rapid.IntRange(0, 4).Draw(t, label+" odd") == 0 {
			return []string{v, rapid.SampledFrom([]string{"", "nonsense", "YES", "0"}).Draw(t, label+" text")}
		}
		return []string{v}
	}
	if d.Name == "UMask" {
		return []string{fmt.Sprintf("%04o", rapid.IntRange(0, 0o777).Draw(t, label))}
	}
	lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string {
		picked := rapid.SliceOfN(rapid.SampledFrom(words[d.Name]), 0, 4).Draw(t, "words")
		line := strings.Join(picked, " ")
		if nameListKind(d.Name) && rapid.Bool().Draw(t, "~") {
			line = "~" + line
		}
		return line
	}), 1, 4).Draw(t, label)
	if profile {
		lines = slices.DeleteFunc(lines, func(l string) bool { return d.Check([]string{l}) != nil })
	}
	return lines
}

func nameListKind(name string) bool {
	return slices.Contains([]string{
		"CapabilityBoundingSet", "AmbientCapabilities", "RestrictNamespaces",
		"RestrictAddressFamilies", "SystemCallFilter",
	}, name)
}

// strength returns what assignments still allow, as a set of things: the independent reading that the merge is judged
// by.
func allowed(d *directive.Directive, lines []string, version int) map[string]bool {
	set := map[string]bool{}
	add := func(names ...string) {
		for _, n := range names {
			set[n] = true
		}
	}
	switch d.Name {
	case "CapabilityBoundingSet":
		add(values.ParseCapabilityBoundingSet(lines, version).Names()...)
	case "AmbientCapabilities":
		add(values.ParseAmbientCapabilities(lines, version).Names()...)
	case "RestrictNamespaces":
		add(values.ParseRestrictNamespaces(lines, version).Names()...)
	case "RestrictAddressFamilies":
		f := values.ParseRestrictAddressFamilies(lines, version)
		add(slices.DeleteFunc(values.AddressFamilies(), func(n string) bool { return !f.Permits(n) })...)
	case "SystemCallFilter":
		f := syscalls.ParseFilter(lines, version)
		add(slices.DeleteFunc(syscalls.All(), func(n string) bool { return !f.Permits(n) })...)
	case "UMask":
		m := 0o022
		for _, v := range lines {
			n, _ := strconv.ParseInt(v, 8, 32)
			m = int(n)
		}
		for b := range 9 {
			if m&(1<<b) == 0 {
				add(fmt.Sprint(b))
			}
		}
	case "IPAddressDeny":
		deny := values.ParseAddresses(lines)
		for _, probe := range []string{"10.1.2.3", "10.9.9.9", "127.0.0.1", "8.8.8.8", "::1", "2001:db8::1"} {
			if p, _ := values.ParsePrefixes(probe); !deny.Covers(p) {
				add(probe)
			}
		}
	default:
		v, _ := d.Read(lines, version)
		for rank := v.Rank; rank < len(d.Values); rank++ {
			add(fmt.Sprint(rank))
		}
	}
	return set
}

func subset(a, b map[string]bool) bool {
	for n := range a {
		if !b[n] {
			return false
		}
	}
	return true
}

// Merging never gives back what the unit forbade; where the note is silent it forbids what the profile does; and
// doing it twice adds nothing.
func TestMergeLaws(t *testing.T) {
	for _, d := range directive.All() {
		if _, listed := words[d.Name]; !listed && !d.Ordered() && d.Name != "UMask" ||
			strings.HasSuffix(d.Name, "Paths") {
			continue
		}
		if slices.Contains([]string{
			"TemporaryFileSystem", "RootDirectory", "SocketBindDeny", "SystemCallArchitectures",
		}, d.Name) {
			continue // below
		}
		t.Run(d.Name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				version := rapid.SampledFrom(lawVersions).Draw(t, "version")
				var own []string
				if rapid.Bool().Draw(t, "unit sets it") {
					own = assignments(t, d, "unit", false)
				}
				want := assignments(t, d, "profile", true)
				if len(want) == 0 {
					return
				}
				c := directive.NewContext(version, map[string][]string{d.Name: own})
				m := d.Merge(c, want)
				result := append(slices.Clone(own), m.Lines...)
				before, after := allowed(d, own, version), allowed(d, result, version)
				if !subset(after, before) {
					t.Fatalf("%q after %q allows more", m.Lines, own)
				}
				if m.Lines == nil {
					return
				}
				if m.Note == "" && d.Name != "AmbientCapabilities" && !subset(after, allowed(d, want, version)) {
					t.Fatalf("%q after %q does not forbid what %q forbids", m.Lines, own, want)
				}
				if len(after) >= len(before) {
					t.Fatalf("%q after %q changes nothing", m.Lines, own)
				}
				again := d.Merge(directive.NewContext(version, map[string][]string{d.Name: result}), want)
				if again.Lines != nil {
					t.Fatalf("%q, then %q, then again %q", own, m.Lines, again.Lines)
				}
			})
		})
	}
}

// What can be said of a path. Of several things said of one path the first of this order counts (namespace.c,
// mount_path_compare).
const (
	hidden = iota
	bindReadOnly
	bind
	readOnly
	writable
	cover
	implicit
)

// said lists what a unit says of paths, by the names that it uses.
func said(unit map[string][]string) map[string]int {
	entries := map[string]int{}
	put := func(p string, rank int) {
		if old, ok := entries[path.Clean(p)]; !ok || rank < old {
			entries[path.Clean(p)] = rank
		}
	}
	for name, rank := range map[string]int{
		"InaccessiblePaths": hidden, "BindReadOnlyPaths": bindReadOnly, "BindPaths": bind, "ReadOnlyPaths": readOnly,
		"ReadWritePaths": writable, "TemporaryFileSystem": cover,
	} {
		var all []string
		for _, v := range unit[name] {
			if v == "" {
				all = nil
			}
			all = append(all, strings.Fields(v)...)
		}
		for _, w := range all {
			p, _, _ := strings.Cut(strings.TrimLeft(strings.Trim(w, `"`), "-+"), ":")
			put(p, rank)
		}
	}
	last := func(name string) string {
		if v := unit[name]; len(v) > 0 {
			return v[len(v)-1]
		}
		return ""
	}
	switch last("ProtectSystem") {
	case "strict":
		put("/", readOnly)
		for _, p := range []string{"/home", "/dev", "/proc", "/sys", "/root", "/run/user"} {
			put(p, implicit)
		}
	case "full":
		put("/etc", readOnly)
		fallthrough
	case "yes":
		put("/usr", readOnly)
	}
	switch last("ProtectHome") {
	case "yes":
		put("/home", hidden)
	case "tmpfs":
		put("/home", cover)
	case "read-only":
		put("/home", readOnly)
	}
	return entries
}

// upwards are a path and those above it.
func upwards(p string) []string {
	if p == "/" {
		return []string{p}
	}
	return append([]string{p}, upwards(path.Dir(p))...)
}

// covered reports whether what a path would be is not there, since something empty is mounted above it.
func covered(entries map[string]int, p string) bool {
	for _, above := range upwards(p) {
		switch rank, named := entries[above]; {
		case named && rank == cover:
			return true
		case named && (rank == bind || rank == bindReadOnly):
			return false
		}
	}
	return false
}

// level is what mounts leave of a path: 0 hidden, 1 seen, 2 written. Of all that is said of a path and of those above
// it, the nearest counts.
func level(entries map[string]int, probe string) int {
	above := upwards(probe)
	if covered(entries, probe) || slices.ContainsFunc(above, func(p string) bool {
		rank, named := entries[p]
		return named && rank == hidden
	}) {
		return 0
	}
	for _, p := range above {
		if r, ok := entries[p]; ok {
			return map[int]int{bindReadOnly: 1, bind: 2, readOnly: 1, writable: 2, implicit: 2}[r]
		}
	}
	return 2
}

// access is what a unit can do with a file, by either of its names: where a link is covered, the two names are two
// directories, and what is said of one is not said of the other.
func access(unit map[string][]string, probe string) int {
	entries, most := said(unit), 0
	for _, l := range [][2]string{{"/lib", "/usr/lib"}, {"/var/run", "/run"}} {
		other, named := strings.CutPrefix(probe, l[1])
		if covered(entries, path.Dir(l[0])) {
			if named {
				most = max(most, level(entries, l[0]+other))
			}
			continue
		}
		for p, rank := range entries {
			if rest, through := strings.CutPrefix(p, l[0]); through && (rest == "" || rest[0] == '/') {
				delete(entries, p)
				if old, ok := entries[l[1]+rest]; !ok || rank < old {
					entries[l[1]+rest] = rank
				}
			}
		}
	}
	return max(most, level(entries, probe))
}

// With every directive about paths at once: no path can be seen or written that could not before.
func TestMergePathLaws(t *testing.T) {
	names := []string{
		"ProtectSystem", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "TemporaryFileSystem",
		"BindReadOnlyPaths", "BindPaths", "ProtectHome",
	}
	probes := []string{
		"/", "/srv", "/srv/a", "/srv/a/b", "/srv/a/b/c", "/srv/b", "/home", "/home/x", "/usr/lib/x",
		"/usr", "/etc/x", "/opt", "/proc", "/run/x", "/run/x/y", "/var/x",
	}
	rapid.Check(t, func(t *rapid.T) {
		unit, want := map[string][]string{}, map[string][]string{}
		for _, n := range names {
			d, _ := directive.Lookup(n)
			if rapid.Bool().Draw(t, "unit "+n) {
				for _, l := range assignments(t, d, n, true) {
					unit[n] = append(unit[n], strings.TrimPrefix(l, "~"))
				}
			}
			if rapid.Bool().Draw(t, "profile "+n) {
				want[n] = assignments(t, d, "want "+n, true)
			}
		}
		c := directive.NewContext(257, unit)
		result := map[string][]string{}
		for n, v := range unit {
			result[n] = v
		}
		for n, v := range want {
			if d, _ := directive.Lookup(n); len(v) > 0 {
				result[n] = append(slices.Clone(unit[n]), d.Merge(c, v).Lines...)
			}
		}
		for _, p := range probes {
			if before, after := access(unit, p), access(result, p); after > before {
				t.Fatalf("%s: access %d, was %d\nunit %q\nwant %q\nresult %q", p, after, before, unit, want, result)
			}
		}
	})
}

// The order of the profile's assignments within the merge is kept, and the unit's own come first in what it is judged
// by.
func TestMergeKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, _ := directive.Lookup("SystemCallFilter")
		want := assignments(t, d, "profile", true)
		want = slices.DeleteFunc(want, func(l string) bool { return l == "" || l == "~" })
		if len(want) == 0 {
			return
		}
		m := d.Merge(directive.NewContext(262, nil), want)
		if m.Lines != nil && m.Note == "" && !slices.Equal(m.Lines, want) {
			t.Fatalf("%q became %q", want, m.Lines)
		}
	})
}

func TestNamesOfBits(t *testing.T) {
	if n := bits.OnesCount64(uint64(values.AllCapabilities)); n != len(values.CapabilityNames()) {
		t.Errorf("%d bits, %d names", n, len(values.CapabilityNames()))
	}
}
