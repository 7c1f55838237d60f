package generator_test

import (
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/unit"
	"temper/profiles"
)

// TestDeclaredNeeds: what the vendor's unit grants by name only a profile that names the unit takes away. A list of
// what is refused grants nothing by name.
func TestDeclaredNeeds(t *testing.T) {
	p := &profiles.Profile{Name: "any", Service: []profiles.Setting{
		{Name: "CapabilityBoundingSet", Values: []string{"CAP_CHOWN"}},
		{Name: "RestrictAddressFamilies", Values: []string{"AF_UNIX"}},
	}}
	for name, tc := range map[string]struct {
		vendor     map[string]string
		named      bool
		caps, fams string // what is assigned
	}{
		"nothing": {nil, false, "CAP_CHOWN", "AF_UNIX"},
		"bounding set": {
			map[string]string{"CapabilityBoundingSet": "CAP_NET_ADMIN CAP_CHOWN"}, false, "CAP_NET_ADMIN", "AF_UNIX",
		},
		"ambient": {map[string]string{"AmbientCapabilities": "CAP_NET_RAW"}, false, "CAP_NET_RAW", "AF_UNIX"},
		"families": {
			map[string]string{"RestrictAddressFamilies": "AF_UNIX AF_NETLINK"}, false, "CAP_CHOWN", "AF_NETLINK",
		},
		"refused": {map[string]string{"CapabilityBoundingSet": "~CAP_NET_ADMIN"}, false, "CAP_CHOWN", "AF_UNIX"},
		"named":   {map[string]string{"AmbientCapabilities": "CAP_NET_RAW"}, true, "CAP_CHOWN", "AF_UNIX"},
		"named families": {
			map[string]string{"RestrictAddressFamilies": "AF_UNIX AF_NETLINK"}, true, "CAP_CHOWN", "AF_UNIX",
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unit.Unit{Name: "x.service", ID: "x.service"}
			for directive, value := range tc.vendor {
				u.Assignments = append(u.Assignments,
					unit.Assignment{Section: "Service", Name: directive, Value: value})
			}
			plan := generator.NewPlan(generator.Input{Unit: u, Profile: p, Named: tc.named, Version: 257})
			lines := map[string]string{}
			for _, a := range plan.Applied() {
				lines[a.Directive] += " " + a.Value
			}
			// A directive that adds nothing to what the vendor grants is left out.
			caps, fams := lines["CapabilityBoundingSet"], lines["RestrictAddressFamilies"]
			if caps != "" && !strings.Contains(caps, tc.caps) || fams != "" && !strings.Contains(fams, tc.fams) {
				t.Errorf("%q %q, left out %v", caps, fams, plan.LeftOut)
			}
			if tc.named && strings.Contains(caps+fams, "NET") {
				t.Errorf("a profile that names the unit does not take %q %q away", caps, fams)
			}
		})
	}
}

// TestDeclaredNeedsOfOthers: a directive that would take what the vendor grants by another one gets a weaker value, or
// is left out, unless the profile names the unit. What the grant itself excepts stays.
func TestDeclaredNeedsOfOthers(t *testing.T) {
	p := &profiles.Profile{Name: "any", Service: []profiles.Setting{
		{Name: "PrivateDevices", Values: []string{"yes"}},
		{Name: "ProtectKernelModules", Values: []string{"yes"}},
		{Name: "ProtectHome", Values: []string{"yes"}},
		{Name: "ProtectSystem", Values: []string{"strict"}},
		{Name: "PrivateUsers", Values: []string{"yes"}},
		{Name: "DevicePolicy", Values: []string{"closed"}},
	}}
	for _, tt := range []struct{ directive, value, takers string }{
		{"DeviceAllow", "/dev/fuse rw", "PrivateDevices"},
		{"DeviceAllow", "/dev/null rw", ""},
		{"CapabilityBoundingSet", "CAP_SYS_MODULE", "ProtectKernelModules PrivateUsers"},
		{"CapabilityBoundingSet", "CAP_CHOWN", "PrivateUsers"},
		{"CapabilityBoundingSet", "~CAP_CHOWN", ""},
		{"ReadWritePaths", "/home/x", "ProtectHome to read-only"},
		{"ReadWritePaths", "/var/lib/x", ""},
		{"SupplementaryGroups", "video", "PrivateUsers"},
	} {
		for _, named := range []bool{false, true} {
			u := &unit.Unit{Name: "x.service", ID: "x.service", Assignments: []unit.Assignment{
				{Section: "Service", Name: tt.directive, Value: tt.value},
			}}
			plan := generator.NewPlan(generator.Input{Unit: u, Profile: p, Named: named, Version: 257})
			lines := map[string]string{}
			for _, a := range plan.Applied() {
				lines[a.Directive] = a.Value
			}
			var takers []string
			for _, s := range p.Service {
				switch got := lines[s.Name]; got {
				case s.Values[0]:
				case "":
					takers = append(takers, s.Name)
				default:
					takers = append(takers, s.Name+" to "+got)
				}
			}
			want := tt.takers
			if named {
				want = ""
			}
			if got := strings.Join(takers, " "); got != want {
				t.Errorf("%s=%s, named %v: weakened %q, want %q", tt.directive, tt.value, named, got, want)
			}
		}
	}
}
