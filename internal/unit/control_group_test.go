package unit_test

import (
	"testing"

	"temper/internal/unit"
)

// TestControlGroup: a service is in the slice that it names, an instance in that of its template, and each slice in
// the one that its name begins with.
func TestControlGroup(t *testing.T) {
	for _, tc := range []struct{ id, slice, want string }{
		{"web.service", "", "/system.slice/web.service"},
		{"web.service", "-.slice", "/web.service"},
		{"web.service", "a-b.slice", "/a.slice/a-b.slice/web.service"},
		{"web.service", "%p.slice", "/web.slice/web.service"},
		{"my-web@1.service", "", `/system.slice/system-my\x2dweb.slice/my-web@1.service`},
	} {
		u := &unit.Unit{Name: tc.id, ID: tc.id}
		if tc.slice != "" {
			u.Assignments = []unit.Assignment{{Section: "Service", Name: "Slice", Value: tc.slice}}
		}
		if got := u.ControlGroup(); got != tc.want {
			t.Errorf("%s in %q: %s, want %s", tc.id, tc.slice, got, tc.want)
		}
	}
}
