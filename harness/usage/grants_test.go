package usage_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/observe"
	"temper/harness/trial"
	"temper/harness/usage"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
)

// TestGrants: what the vendor's unit grants by name is listed, and it counts as used where a launch, hardened or not,
// was seen to make use of it. A list of what is refused grants nothing, and an empty assignment takes all back.
func TestGrants(t *testing.T) {
	admin, _ := values.ParseCapability("CAP_NET_ADMIN")
	without, hardened := trial.Result{Seen: observe.NewLaunch()}, trial.Result{Seen: observe.NewLaunch()}
	without.Refused.Granted = admin
	hardened.Seen.Phases["running"] = observe.Snapshot{
		Sockets: map[string]bool{"tcp 0.0.0.0:80": true, "unix /run/x": true},
	}
	hardened.Seen.Files["stopped"] = observe.Files{
		"/srv/a/made": {Kind: "file"}, "/run/c": {Kind: "file"}, "/srv/b/kept": {Kind: "file", Kept: true},
	}
	u := &unit.Unit{}
	for _, pair := range [][2]string{
		{"AmbientCapabilities", "CAP_KILL"},
		{"AmbientCapabilities", ""},
		{"AmbientCapabilities", "CAP_NET_ADMIN"},
		{"CapabilityBoundingSet", "~CAP_SYS_ADMIN"},
		{"RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6"},
		{"ReadWritePaths", "-/srv/a /srv/b /var/run/c"},
		{"DeviceAllow", "/dev/null rw"},
		{"DeviceAllow", "/dev/rtc r"},
		{"SupplementaryGroups", "video audio"},
	} {
		u.Assignments = append(u.Assignments, unit.Assignment{Section: "Service", Name: pair[0], Value: pair[1]})
	}
	use := usage.Launches{
		Unit: u, Version: 257, Baselines: []trial.Result{without}, Hardened: hardened,
	}.Use()
	want := map[verdict.Grant]bool{
		{Directive: "AmbientCapabilities", Name: "CAP_NET_ADMIN", Used: true}: true,
		{Directive: "RestrictAddressFamilies", Name: "AF_INET", Used: true}:   true,
		{Directive: "RestrictAddressFamilies", Name: "AF_UNIX", Used: true}:   true,
		{Directive: "RestrictAddressFamilies", Name: "AF_INET6"}:              true,
		{Directive: "ReadWritePaths", Name: "/srv/a", Used: true}:             true,
		{Directive: "ReadWritePaths", Name: "/srv/b"}:                         true,
		{Directive: "ReadWritePaths", Name: "/var/run/c", Used: true}:         true,
		{Directive: "DeviceAllow", Name: "/dev/rtc r"}:                        true,
		{Directive: "SupplementaryGroups", Name: "video"}:                     true,
		{Directive: "SupplementaryGroups", Name: "audio"}:                     true,
	}
	got := map[verdict.Grant]bool{}
	for _, g := range use.Grants {
		got[g] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := len(use.Unused()); n != 5 {
		t.Errorf("%d are not used, want 5", n)
	}
}
