package directive_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"temper/internal/directive"
	"temper/internal/refusal"
)

func TestGrants(t *testing.T) {
	tests := []struct {
		name         string
		want, grants []string
		take, left   []string
	}{
		{"ReadWritePaths", []string{"-/a /b", "/c"}, []string{"/a", "/b", "/c"}, []string{"/a", "/c"}, []string{"/b"}},
		{"ReadWritePaths", []string{`"/a b"`, "/c"}, []string{"/a b", "/c"}, []string{"/c"}, []string{`"/a b"`}},
		{"ExecPaths", []string{"/usr"}, []string{"/usr"}, []string{"/usr"}, nil},
		{"ReadOnlyPaths", []string{"/srv"}, nil, nil, nil},
		{
			"DeviceAllow",
			[]string{"/dev/fuse rw", "char-rtc r"},
			[]string{"/dev/fuse rw", "char-rtc r"},
			[]string{"/dev/fuse rw"},
			[]string{"char-rtc r"},
		},
		{
			"IPAddressAllow",
			[]string{"localhost 10.0.0.0/8"},
			[]string{"localhost", "10.0.0.0/8"},
			[]string{"localhost"},
			[]string{"10.0.0.0/8"},
		},
		{
			"SocketBindAllow",
			[]string{"tcp:80", "udp:53"},
			[]string{"tcp:80", "udp:53"},
			[]string{"udp:53"},
			[]string{"tcp:80"},
		},
		{
			"CapabilityBoundingSet",
			[]string{"CAP_KILL CAP_CHOWN"},
			[]string{"CAP_CHOWN", "CAP_KILL"},
			[]string{"CAP_KILL"},
			[]string{"CAP_CHOWN"},
		},
		{"CapabilityBoundingSet", []string{"CAP_KILL"}, []string{"CAP_KILL"}, []string{"CAP_KILL"}, []string{""}},
		{"CapabilityBoundingSet", []string{"~CAP_KILL"}, nil, nil, nil},
		{
			"RestrictAddressFamilies",
			[]string{"AF_UNIX AF_INET"},
			[]string{"AF_INET", "AF_UNIX"},
			[]string{"AF_INET", "AF_UNIX"},
			[]string{"none"},
		},
		{"RestrictAddressFamilies", []string{"~AF_UNIX"}, nil, nil, nil},
		{"RestrictNamespaces", []string{"net user"}, []string{"net", "user"}, []string{"net", "user"}, []string{"yes"}},
		{"RestrictNamespaces", []string{"no"}, nil, nil, nil},
		{
			"SystemCallFilter",
			[]string{"@system-service", "~@privileged", "@chown mount"},
			[]string{"@chown", "mount"},
			[]string{"mount"},
			[]string{"@system-service", "~@privileged", "@chown"},
		},
		{
			"SystemCallFilter",
			[]string{"@system-service @mount", "@mount"},
			[]string{"@mount", "@mount"},
			[]string{"@mount"},
			[]string{"@system-service"},
		},
		{
			"SystemCallFilter",
			[]string{"~@mount", "umount2"},
			[]string{"umount2"},
			[]string{"umount2"},
			[]string{"~@mount"},
		},
		{"ProtectSystem", []string{"full"}, nil, nil, nil},
	}
	for _, test := range tests {
		d, _ := directive.Lookup(test.name)
		got := d.Grants(test.want, 257)
		if diff := cmp.Diff(test.grants, got); diff != "" {
			t.Errorf("%s=%q grants (-want +got):\n%s", test.name, test.want, diff)
		}
		if got == nil {
			continue
		}
		if diff := cmp.Diff(test.left, d.Without(test.want, test.take, 257)); diff != "" {
			t.Errorf("%s=%q without %q (-want +got):\n%s", test.name, test.want, test.take, diff)
		}
	}
}

func TestGives(t *testing.T) {
	tests := []struct {
		name, grant   string
		kind          refusal.Kind
		subject, none string
	}{
		{"ReadWritePaths", "/var/run/x", "path-readonly", "/run/x/y", "/run/y"},
		{"ReadWritePaths", "/srv", "path-readonly", "relative", "/srvx"},
		{"ExecPaths", "/usr", "path-noexec", "/bin/sh", "/opt/sh"},
		{"DeviceAllow", "/dev/fuse rw", "device", "/dev/fuse", "/dev/kvm"},
		{"IPAddressAllow", "10.0.0.0/8", "network", "10.1.2.3:80", "1.2.3.4:80"},
		{"CapabilityBoundingSet", "CAP_CHOWN", "capability", "CAP_CHOWN", "CAP_KILL"},
		{"RestrictAddressFamilies", "AF_INET", "family", "AF_INET", "AF_UNIX"},
		{"RestrictNamespaces", "net", "namespace", "any", "user"},
		{"SystemCallFilter", "@chown", "syscall", "fchown", "read"},
		{"SystemCallFilter", "mount", "syscall", "mount", "umount2"},
		{"SystemCallFilter", "@system-service", "syscall", "chown", "swapon"},
	}
	for _, test := range tests {
		d, _ := directive.Lookup(test.name)
		if !d.Gives(test.grant, test.kind, test.subject, 257) || d.Gives(test.grant, test.kind, test.none, 257) ||
			d.Gives(test.grant, "realtime", test.subject, 257) {
			t.Errorf("%s=%s must give %s %s, and not %s", test.name, test.grant, test.kind, test.subject, test.none)
		}
	}
}

// What is taken away is gone, and nothing else comes of it.
func TestWithoutLaws(t *testing.T) {
	for _, name := range []string{
		"CapabilityBoundingSet", "AmbientCapabilities", "RestrictNamespaces",
		"RestrictAddressFamilies", "SystemCallFilter",
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := directive.Lookup(name)
			rapid.Check(t, func(t *rapid.T) {
				version := rapid.SampledFrom(lawVersions).Draw(t, "version")
				want := assignments(t, d, "profile", true)
				grants := d.Grants(want, version)
				if len(grants) == 0 {
					return
				}
				take := rapid.SliceOfN(rapid.SampledFrom(grants), 1, 3).Draw(t, "take")
				left := d.Without(want, take, version)
				if !subset(allowed(d, left, version), allowed(d, want, version)) {
					t.Fatalf("%q allows more than %q", left, want)
				}
				for _, n := range d.Grants(left, version) {
					if slices.Contains(take, n) || !slices.Contains(grants, n) {
						t.Fatalf("%q without %q still, or newly, grants %q: %q", want, take, n, left)
					}
				}
			})
		})
	}
}
