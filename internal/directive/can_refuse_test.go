package directive_test

import (
	"testing"

	"temper/internal/directive"
	"temper/internal/refusal"
)

// TestCanRefuse: a sandbox leaves /dev/null and its like, but for the strictest policy, and no other device. What may
// not be executed is below the paths of the list.
func TestCanRefuse(t *testing.T) {
	for _, tc := range []struct {
		directive, value, file string
		want                   bool
	}{
		{"PrivateDevices", "yes", "/dev/null", false},
		{"ProtectClock", "yes", "/dev/urandom", false},
		{"DevicePolicy", "closed", "/dev/null", false},
		{"DevicePolicy", "strict", "/dev/null", true},
		{"PrivateDevices", "yes", "/dev/kvm", true},
		{"DevicePolicy", "closed", "/dev/kvm", true},
		{"NoExecPaths", "/tmp /var/tmp", "/usr/sbin/haproxy", false},
		{"NoExecPaths", "/tmp /var/tmp", "/var/tmp/helper", true},
		{"NoExecPaths", "/", "/usr/sbin/haproxy", true},
	} {
		d, _ := directive.Lookup(tc.directive)
		kind := refusal.Device
		if tc.directive == "NoExecPaths" {
			kind = refusal.PathNoExec
		}
		if got := d.CanRefuse(kind, tc.file, []string{tc.value}, 257); got != tc.want {
			t.Errorf("%s=%s refuses %s: %v, want %v", tc.directive, tc.value, tc.file, got, tc.want)
		}
	}
}
