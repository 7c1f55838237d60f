package witness

import "testing"

// TestBySystemd tells what systemd is refused while it prepares a service from what the service is refused.
func TestBySystemd(t *testing.T) {
	for _, tc := range []struct {
		denial Denial
		want   bool
	}{
		{Denial{Process: "(nginx)", Syscall: "setsockopt", Errno: "EPERM"}, true},
		{Denial{Process: "9", Syscall: "setsockopt", Errno: "EPERM"}, true}, // an executor without a name yet
		{Denial{Process: "9", Syscall: "openat", Errno: "EACCES"}, false},   // a worker with a number for a name
		{Denial{Process: "nginx", Syscall: "setsockopt", Errno: "EPERM"}, false},
		{Denial{Process: "(nginx)", Syscall: "execve", Errno: "EACCES"}, false},
	} {
		if got := tc.denial.bySystemd(); got != tc.want {
			t.Errorf("%s: by systemd %v, want %v", tc.denial, got, tc.want)
		}
	}
}
