package blame_test

import (
	"slices"
	"testing"

	"temper/harness/blame"
	"temper/harness/witness"
	"temper/profiles"
)

// TestJudge: of a service in production it is not known whether a filter has refused, nor what it would be refused
// without hardening.
func TestJudge(t *testing.T) {
	in := input(
		set("ProtectSystem", "strict"), set("ProtectHome", "yes"), set("ProtectClock", "yes"),
		set("RestrictAddressFamilies", "AF_UNIX"), set("CapabilityBoundingSet", "CAP_KILL"),
		set("SystemCallFilter", "~@clock"), set("NoNewPrivileges", "yes"),
	)
	root := func(d witness.Denial) witness.Denial {
		d.Root = true
		return d
	}
	packet := denial("socket", "EAFNOSUPPORT", "")
	packet.Args[0] = 17
	for _, tc := range []struct {
		name        string
		denial      witness.Denial
		restriction string // "" is none
		by          []string
	}{
		{"a path", denial("mkdir", "EROFS", "/srv/x"), "path-readonly /srv/x", []string{"ProtectSystem"}},
		{"a family", packet, "family AF_PACKET", []string{"RestrictAddressFamilies"}},
		{
			"a call that a filter of the plan refuses", root(denial("clock_settime", "EPERM", "")),
			"syscall clock_settime",
			[]string{"SystemCallFilter", "ProtectClock"},
		},
		{
			"a capability of root", root(denial("chown", "EPERM", "/srv/x")), "capability CAP_CHOWN",
			[]string{"CapabilityBoundingSet"},
		},
		{"a capability that only root would have", denial("chown", "EPERM", "/srv/x"), "", nil},
		{"a file that is not there at all", denial("openat", "ENOENT", "/home/nobody/x"), "", nil},
		{"a file of another user", denial("openat", "EACCES", "/srv/x"), "", nil},
		{"nothing that the plan forbids", denial("connect", "ECONNREFUSED", "@x"), "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := blame.NewService(in, files{root: t.TempDir()})
			found, ok := s.Judge(tc.denial, applied(in))
			var by []string
			for _, a := range found.Refusers {
				by = append(by, a.Directive.Name)
			}
			slices.Sort(by)
			slices.Sort(tc.by)
			if ok != (tc.restriction != "") || ok && found.Restriction.String() != tc.restriction || !slices.Equal(by, tc.by) {
				t.Errorf("%v by %q, want %q by %q", found.Restriction, by, tc.restriction, tc.by)
			}
		})
	}
}

// TestException: what a profile has to say is one setting for all directives that can except something, and a list of
// those that can only be weakened.
func TestException(t *testing.T) {
	in := input(set("PrivateUsers", "yes"), set("CapabilityBoundingSet", "CAP_KILL"))
	s := blame.NewService(in, files{root: t.TempDir()})
	d := denial("chown", "EPERM", "/srv/x")
	d.Root = true
	found, ok := s.Judge(d, applied(in))
	if !ok {
		t.Fatal("no directive refuses it")
	}
	got := s.Exception(found, applied(in))
	want := profiles.Setting{Name: "CapabilityBoundingSet", Values: []string{"CAP_CHOWN CAP_KILL"}}
	if len(got.Settings) != 1 || got.Settings[0].Line() != want.Line() ||
		!slices.Equal(got.Weaker, []string{"PrivateUsers"}) {
		t.Errorf("got %v and weaker %q, want %s and a weaker PrivateUsers", got.Settings, got.Weaker, want.Line())
	}
}
