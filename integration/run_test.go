package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// TestSystemdRunStaysClosed asks systemd under which directives a service can write to /run though ProtectSystem=strict
// closes it: the table must say so of all those, so that no unit that keeps it closed gets one.
func TestSystemdRunStaysClosed(t *testing.T) {
	t.Parallel()
	for tree, version := range testroot.Versions {
		t.Run(tree, func(t *testing.T) {
			t.Parallel()
			p, err := place.Container(t.Context(), place.Options{Trusted: true, Image: testroot.Path(t, tree)})
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			script := "exec 2>/dev/null; r() { systemd-run -q --wait --pipe -p ProtectSystem=strict -p \"$1=$2\" sh " +
				"-c 'echo >/run/x' && echo \"$1=$2\"; }\n"
			var want []string
			for _, d := range directive.All() {
				if !d.Ordered() || !d.Restricts() || d.Since > version || d.Name == "ProtectSystem" {
					continue
				}
				for _, v := range d.Values {
					if v.Rank > 0 && v.Since <= version {
						script += fmt.Sprintf("r %s %s\n", d.Name, v.Name)
					}
				}
				mountsRun := func(m directive.Mount) bool {
					_, known := d.Value(m.Value, version)
					return m.Path == "/run" && m.Since <= version && (m.Value == "" || known)
				}
				if slices.ContainsFunc(d.Mounts, mountsRun) {
					want = append(want, d.Name)
				}
			}
			var got []string
			for line := range strings.Lines(command(t, p, script+"true")) {
				if name, _, _ := strings.Cut(line, "="); !slices.Contains(got, name) {
					got = append(got, name)
				}
			}
			for _, name := range got {
				if !slices.Contains(want, name) {
					t.Errorf("%s= leaves /run writable, and the table does not say so", name)
				}
			}
			if len(got) == 0 && version > 247 {
				t.Error("nothing leaves /run writable: the test does not see it")
			}
		})
	}
}
