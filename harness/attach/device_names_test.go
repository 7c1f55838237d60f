package attach

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/systemd"
)

// TestDrivers: a pattern of DeviceAllow= means every driver of its type that it matches, with all its devices.
func TestDrivers(t *testing.T) {
	const devices = "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n 13 input\n\nBlock devices:\n  7 loop\n" +
		"  8 sd\n 65 sd\n"
	for _, tc := range []struct {
		pattern string
		block   bool
		want    []uint32
	}{
		{"mem", false, []uint32{1}},
		{"*", false, []uint32{1, 5, 136, 13}},
		{"sd", true, []uint32{8, 65}},
		{"l?op", true, []uint32{7}},
		{"loop", false, nil},
	} {
		var got []uint32
		for _, d := range driversIn(devices, tc.pattern, Device{Block: tc.block, Read: true}) {
			if !d.AllMinor || !d.Read || d.Write || d.Block != tc.block {
				t.Errorf("%s: %+v", tc.pattern, d)
			}
			got = append(got, d.Major)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.pattern, diff)
		}
	}
}

// TestReadDevices: which devices are left depends on the policy and on whether exceptions are named.
func TestReadDevices(t *testing.T) {
	type entry struct{ Name, Access string }
	null := []entry{{"/dev/null", "r"}}
	for _, tc := range []struct {
		policy string
		allow  []entry
		only   bool
		full   bool // /dev/full may be opened
	}{
		{policy: "auto"},
		{policy: "auto", allow: null, only: true, full: true},
		{policy: "closed", only: true, full: true},
		{policy: "strict", only: true},
		{policy: "strict", allow: null, only: true},
		{policy: ""},
	} {
		list, only := readDevices(systemd.Properties{"DevicePolicy": tc.policy, "DeviceAllow": tc.allow}, host.Root{})
		full := false
		for _, d := range list {
			full = full || d.Major == 1 && d.Minor == 7
		}
		if only != tc.only || full != tc.full {
			t.Errorf("%s %v: only these %t, /dev/full among them %t", tc.policy, tc.allow, only, full)
		}
		if tc.policy == "strict" && len(list) != len(tc.allow) {
			t.Errorf("strict with %v leaves %v", tc.allow, list)
		}
	}
}
