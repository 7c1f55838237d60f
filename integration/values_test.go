package integration_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"temper/generator"
	"temper/harness/place"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/syscalls"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/profiles"
)

// words lists what can stand in a list, for the directives whose names the table knows one by one, and says whether a
// systemd version knows a word.
var words = map[string]struct {
	all   []string
	known func(word string, version int) bool
}{
	"RestrictAddressFamilies": {append(values.AddressFamilies(), "none"), func(w string, version int) bool {
		return values.KnownFamily(strings.TrimPrefix(w, "~"), version) || w == values.NoFamily &&
			version >= values.SinceNoFamily
	}},
	"RestrictNamespaces": {values.NamespaceNames(), func(w string, version int) bool {
		return values.KnownNamespace(strings.TrimPrefix(w, "~"), version)
	}},
	"CapabilityBoundingSet":   {values.CapabilityNames(), always},
	"SystemCallArchitectures": {values.ArchitectureNames(), values.KnownArchitecture},
	"SystemCallFilter": {append(syscalls.All(), syscalls.Of(1<<20).Groups()...), func(w string, version int) bool {
		of := syscalls.Of(version)
		w = strings.TrimPrefix(w, "~")
		return of.Known(w) || slices.Contains(of.Groups(), w)
	}},
	"SystemCallErrorNumber": {[]string{"EPERM", "ENOSYS", "kill"}, always},
	"SecureBits": {
		[]string{"noroot", "noroot-locked", "keep-caps-locked", "no-setuid-fixup-locked"},
		always,
	},
}

func always(string, int) bool { return true }

// examples lists every value of a directive, for one that takes anything an example of each kind.
func examples(t *testing.T, d *directive.Directive) []string {
	t.Helper()
	if d.Ordered() {
		var names []string
		for _, v := range d.Values {
			names = append(names, v.Name)
		}
		return names
	}
	if list, ok := words[d.Name]; ok {
		return list.all
	}
	setting, ok := everything(t).Setting(d.Name)
	if !ok {
		t.Fatalf("%s has no example", d.Name)
	}
	return setting.Values
}

// knows reports whether the table says that a systemd version knows a value.
func knows(d *directive.Directive, value string, version int) bool {
	if d.Since > version {
		return false
	}
	if d.Ordered() {
		_, ok := d.Value(value, version)
		return ok
	}
	list, ok := words[d.Name]
	return !ok || list.known(value, version)
}

var warned = regexp.MustCompile(`(raw|plan)-(\w+)[.]service:(\d+): (.*)`)

// table has systemd read every value of every directive, as it stands: it must warn of exactly those that the table
// says this version does not know; and as a plan has it: it must not warn at all.
func table(t *testing.T, p *place.Place, version int) {
	t.Helper()
	const head = "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\n"
	root := t.TempDir()
	dir := filepath.Join(root, "usr/lib/systemd/system")
	if err := errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "bare.service"), []byte(head), 0o644)); err != nil {
		t.Fatal(err)
	}
	bare, err := (&unit.Loader{Root: host.At(root), Version: version}).Load("bare.service")
	if err != nil {
		t.Fatal(err)
	}
	asked, unknown := 0, 0
	lines := map[string]string{} // "raw-UMask:5" -> the line
	for _, d := range directive.All() {
		raw, planned := head, head
		for _, v := range examples(t, d) {
			for _, value := range []string{v, "~" + v}[:signs(d)] {
				raw += d.Name + "=" + value + "\n"
				lines[fmt.Sprintf("raw-%s:%d", d.Name, strings.Count(raw, "\n"))] = value
			}
			profile := &profiles.Profile{Name: "one", Service: []profiles.Setting{{Name: d.Name, Values: []string{v}}}}
			plan := generator.NewPlan(generator.Input{Unit: bare, Profile: profile, Named: true, Version: version})
			for _, a := range plan.Applied() {
				planned += a.Directive + "=" + a.Value + "\n"
			}
			if !knows(d, v, version) {
				unknown++
				said(t, plan, d, v)
			}
			asked++
		}
		for name, text := range map[string]string{"raw-": raw, "plan-": planned} {
			if err := p.WriteFile("/run/table/"+name+d.Name+".service", []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	out := command(t, p, "cd /run/table && systemd-analyze verify --man=no ./*.service 2>&1; true")
	warns := map[string]string{}
	for _, m := range warned.FindAllStringSubmatch(out, -1) {
		if m[1] == "plan" {
			t.Errorf("a plan makes systemd warn: %s", m[0])
		}
		warns[m[1]+"-"+m[2]+":"+m[3]] = m[4]
	}
	for at, value := range lines {
		name, _, _ := strings.Cut(strings.TrimPrefix(at, "raw-"), ":")
		d, _ := directive.Lookup(name)
		if why, bad := warns[at]; bad == knows(d, value, version) {
			t.Errorf("%s=%s: the table says that systemd %d knows it: %t; systemd says %q", name, value, version,
				bad, why)
		}
	}
	t.Logf("%d values, %d of them unknown to systemd %d", asked, unknown, version)
}

// signs is 2 for a list of names that can be inverted.
func signs(d *directive.Directive) int {
	if _, ok := words[d.Name]; ok && d.HasExceptions() {
		return 2
	}
	return 1
}

// said finds that the plan tells of a value that this systemd does not know, in a note or in what is left out.
func said(t *testing.T, plan generator.Plan, d *directive.Directive, value string) {
	t.Helper()
	for _, l := range plan.LeftOut {
		if l.Directive == d.Name && l.Reason != "" {
			return
		}
	}
	for _, i := range plan.Items {
		if i.Directive == d && i.Note != "" && !slices.Equal(i.Lines, []string{value}) {
			return
		}
	}
	t.Errorf("%s=%s: nothing says that it is not known: %+v", d.Name, value, plan)
}
