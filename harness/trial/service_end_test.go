package trial

import (
	"testing"

	"temper/internal/systemd"
)

// TestEnded: the end of a service is told by what systemd knows of it, which is more than the status of its main
// process.
func TestEnded(t *testing.T) {
	for want, s := range map[string]systemd.Service{
		"status 1, result exit-code":             {Result: "exit-code", Code: systemd.Exited, Status: 1},
		"status 226/NAMESPACE, result exit-code": {Result: "exit-code", Code: systemd.Exited, Status: 226},
		"killed by SIGSYS, result signal":        {Result: "signal", Code: systemd.Killed, Status: 31},
		"failed (failed), result protocol":       {Result: "protocol", Active: "failed", Sub: "failed"},
		// Of a process that is not the main one, for which systemd stops the rest.
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
