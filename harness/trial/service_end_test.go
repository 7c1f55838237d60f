package trial

import (
	"testing"

	"temper/internal/systemd"
)

// TestEnded: the description of an end uses all that systemd knows, which is more than the status of the main process.
func TestEnded(t *testing.T) {
	for want, s := range map[string]systemd.Service{
		"status 1, result exit-code":             {Result: "exit-code", Code: systemd.Exited, Status: 1},
		"status 226/NAMESPACE, result exit-code": {Result: "exit-code", Code: systemd.Exited, Status: 226},
		"killed by SIGSYS, result signal":        {Result: "signal", Code: systemd.Killed, Status: 31},
		"failed (failed), result protocol":       {Result: "protocol", Active: "failed", Sub: "failed"},
		// A process other than the main one has ended, and systemd stops the service for it.
		"the kernel had no memory left for it and killed it, result oom-kill": {
			Result: "oom-kill",
			Code:   systemd.Killed, Status: 15,
		},
	} {
		if got := ended(s); got != want || !failed(s) {
			t.Errorf("%+v ended as %q, want %q", s, got, want)
		}
	}
}
