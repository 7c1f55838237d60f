package directive_test

import (
	"testing"

	"temper/internal/directive"
	"temper/internal/refusal"
)

// TestPseudoDevices: a sandbox leaves /dev/null and its like, but for the strictest policy; and no other device.
func TestPseudoDevices(t *testing.T) {
	for _, tc := range []struct {
		directive, value, device string
		want                     bool
	}{
		{"PrivateDevices", "yes", "/dev/null", false},
		{"ProtectClock", "yes", "/dev/urandom", false},
		{"DevicePolicy", "closed", "/dev/null", false},
		{"DevicePolicy", "strict", "/dev/null", true},
		{"PrivateDevices", "yes", "/dev/kvm", true},
		{"DevicePolicy", "closed", "/dev/kvm", true},
	} {
		d, _ := directive.Lookup(tc.directive)
		if got := d.CanRefuse(refusal.Device, tc.device, []string{tc.value}, 257); got != tc.want {
			t.Errorf("%s=%s refuses %s: %v, want %v", tc.directive, tc.value, tc.device, got, tc.want)
		}
	}
}
