package directive_test

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"temper/internal/directive"
)

// fact is one row of testdata/directives.tsv.
type fact struct {
	since   int
	values  map[string]int
	empty   string
	leftOut string
}

func facts(t *testing.T) map[string]fact {
	t.Helper()
	data, err := os.ReadFile("testdata/directives.tsv")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]fact{}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		if len(f) != 5 {
			t.Fatalf("%q has %d columns", line, len(f))
		}
		row := fact{values: map[string]int{}, empty: f[3], leftOut: f[4]}
		row.since = number(t, f[1])
		for _, v := range strings.Fields(f[2]) {
			if name, since, ok := strings.Cut(v, "="); ok {
				row.values[name] = number(t, since)
			}
		}
		rows[f[0]] = row
	}
	return rows
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTableIsComplete(t *testing.T) {
	rows := facts(t)
	for name, row := range rows {
		d, ok := directive.Lookup(name)
		switch {
		case ok == (row.leftOut != "-"):
			t.Errorf("%s: in the table %t, left out because %q", name, ok, row.leftOut)
		case !ok:
			continue
		case d.Since != row.since && (d.Since != 0 || row.since > 231):
			t.Errorf("%s: since %d, want %d", name, d.Since, row.since)
		}
		if !ok {
			continue
		}
		for _, v := range d.Values {
			if v.Since != row.values[v.Name] {
				t.Errorf("%s=%s: since %d, want %d", name, v.Name, v.Since, row.values[v.Name])
			}
			delete(row.values, v.Name)
		}
		if len(row.values) > 0 {
			t.Errorf("%s lacks the values %v", name, row.values)
		}
	}
	for _, d := range directive.All() {
		if _, ok := rows[d.Name]; !ok {
			t.Errorf("testdata/directives.tsv has no %s", d.Name)
		}
	}
}

func TestTableRows(t *testing.T) {
	seen := map[string]bool{}
	for i, d := range directive.All() {
		if seen[d.Name] {
			t.Errorf("%s is there twice", d.Name)
		}
		seen[d.Name] = true
		if i > 0 && directive.Compare(directive.All()[i-1], d) >= 0 {
			t.Errorf("%s does not sort after the row before it", d.Name)
		}
		if d.Man == "" || d.Forbids == "" || d.Rule() == "" || d.Restricts() && d.Breaks == "" {
			t.Errorf("%s lacks a man page, or what it forbids, breaks or how it merges", d.Name)
		}
		if d.With != "" {
			if _, ok := directive.Lookup(d.With); !ok {
				t.Errorf("%s goes with %s, which is not in the table", d.Name, d.With)
			}
		}
		for j, v := range d.Values {
			if j > 0 && v.Rank < d.Values[j-1].Rank || j == 0 && v.Rank != 0 {
				t.Errorf("%s=%s does not stand in the order of strength", d.Name, v.Name)
			}
			if err := d.Check([]string{v.Name}); err != nil {
				t.Error(err)
			}
		}
		if d.Default != "" && d.Check([]string{d.Default}) != nil {
			t.Errorf("%s has the default %q, which is none of its values", d.Name, d.Default)
		}
	}
}

func TestTableEffects(t *testing.T) {
	for _, d := range directive.All() {
		for _, e := range append(append([]directive.Effect{}, d.Implies...), d.Widens...) {
			other, ok := directive.Lookup(e.Directive)
			if !ok {
				t.Errorf("%s brings %s along, which is not in the table", d.Name, e.Directive)
				continue
			}
			if err := other.Check([]string{e.Value}); err != nil {
				t.Errorf("%s: %v", d.Name, err)
			}
			if d.Ordered() && other.Ordered() && len(other.Implies) > 0 {
				t.Errorf("%s implies %s, which implies more: the merge follows one step", d.Name, other.Name)
			}
		}
		for _, p := range d.Paths {
			if _, ok := d.Value(p.Value, 1<<20); !ok {
				t.Errorf("%s takes %s away at %q, which is none of its values", d.Name, p.Path, p.Value)
			}
		}
	}
}

// What an empty assignment does is not a column of the table: the readers know it. Here they are held against the
// facts.
func TestEmptyAssignment(t *testing.T) {
	rows := facts(t)
	for _, d := range directive.All() {
		if !d.Ordered() || d.Name == "DynamicUser" || d.Name == "Delegate" { // fatal; turns it on
			continue
		}
		strong := d.Values[len(d.Values)-1].Name
		for _, version := range []int{247, 252, 257, 262} {
			v, set := d.Read([]string{strong, ""}, version)
			known, ok := d.Value(strong, version)
			if !ok {
				continue
			}
			kept := set && v == known
			resets := strings.Contains(rows[d.Name].empty, "unset") && version >= 254 ||
				strings.Contains(rows[d.Name].empty, "resets to no (262)") && version >= 262
			if kept == resets {
				t.Errorf("%s on %d: kept %t after an empty assignment, facts: %s", d.Name, version, kept,
					rows[d.Name].empty)
			}
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		directive string
		values    []string
		want      string // a part of the error, "" for none
	}{
		{"ProtectSystem", []string{"strict"}, ""},
		{"ProtectSystem", []string{"strictt"}, `did you mean "strict"?`},
		{"ProtectSystem", []string{"no", "yes"}, "takes one value, has 2"},
		{"ProtectSystem", []string{"yes\nExecStart=/bin/sh"}, "control character"},
		{"ReadOnlyPaths", []string{"/srv/../etc"}, "want a clean absolute path"},
		{"ReadOnlyPaths", []string{"srv"}, "want a clean absolute path"},
		{"ReadOnlyPaths", []string{`"/srv`}, "/srv"},
		{"TemporaryFileSystem", []string{"/srv:ro,size=1M"}, ""},
		{"TemporaryFileSystem", []string{"/:ro"}, ""},
		{"TemporaryFileSystem", []string{"srv"}, "want a clean absolute path"},
		{"BindReadOnlyPaths", []string{"/etc/x -/etc/y"}, ""},
		{"BindReadOnlyPaths", []string{"/proc/cpuinfo"}, "want a path outside of /dev, /proc and /sys"},
		{"BindPaths", []string{"/"}, "want a path outside of /dev, /proc and /sys"},
		{"BindPaths", []string{"/etc/shadow:/srv/x"}, "at which it is shown"},
		{"RootDirectory", []string{"/srv/root"}, ""},
		{"RootDirectory", []string{"/"}, "want a clean absolute path below /"},
		{"RootDirectory", []string{"/a", "/b"}, "takes one path, has 2"},
		{"CapabilityBoundingSet", []string{"CAP_CHWON"}, `did you mean "CAP_CHOWN"?`},
		{"SystemCallFilter", []string{"@system-servic"}, `did you mean "@system-service"?`},
		{"SystemCallFilter", []string{"~mount:EPREM"}, `"mount:EPREM"`},
		{"RestrictAddressFamilies", []string{"none"}, ""},
		{"RestrictNamespaces", []string{"~net user"}, ""},
		{"RestrictNamespaces", []string{"network"}, "does not know"},
		{"UMask", []string{"0o77"}, "not an octal mask"},
		{"SystemCallErrorNumber", []string{"EWHAT"}, "is not an error"},
		{"DeviceAllow", []string{"/dev/kvm rx"}, `access "rx"`},
		{"IPAddressDeny", []string{"10.0.0.0/33"}, "10.0.0.0/33"},
		{"SocketBindDeny", []string{"ipv4:tcp:1-1023", "any", "tcp", "8080"}, ""},
		{"SocketBindDeny", []string{"tcp:0"}, "tcp:0"},
		{"SocketBindDeny", []string{"udp:90-80"}, "udp:90-80"},
		{"RestrictNetworkInterfaces", []string{"~eth0 wlan*"}, "wlan*"},
		{"RestrictFileSystems", []string{"@basic-api ext4"}, ""},
		{"SecureBits", []string{"keep-caps"}, "does not know"},
	}
	for _, tt := range tests {
		d, _ := directive.Lookup(tt.directive)
		err := d.Check(tt.values)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s=%q: %v, want %q", tt.directive, tt.values, err, tt.want)
		}
	}
}

func TestSuggest(t *testing.T) {
	for misspelt, want := range map[string]string{
		"ProtectSytem": "ProtectSystem", "PrivateTmP": "PrivateTmp",
		"ExecStart": "", "": "",
	} {
		if got := directive.Suggest(misspelt); got != want {
			t.Errorf("%q: %q, want %q", misspelt, got, want)
		}
	}
}

// TestTableTellsWhatShows: of every directive that takes something away it is known where it shows that it holds, or
// why it shows nowhere.
func TestTableTellsWhatShows(t *testing.T) {
	for _, d := range directive.All() {
		shows := d.Trace.Kind != directive.NoTrace || len(d.Paths) > 0 || len(d.PathsOf([]string{"/x"})) > 0
		if d.Restricts() && shows == (d.Unseen != "") {
			t.Errorf("%s= shows somewhere: %v, and yet: %q", d.Name, shows, d.Unseen)
		}
	}
}
