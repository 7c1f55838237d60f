package harness

import (
	"testing"

	"temper/harness/observe"
	"temper/internal/systemd"
)

// TestEnded: the end of a service is told by what systemd knows of it, which is more than the status of its main process.
func TestEnded(t *testing.T) {
	for want, s := range map[string]state{
		"status 1, result exit-code":             {systemd.Service{Result: "exit-code", Code: observe.Exited, Status: 1}},
		"status 226/NAMESPACE, result exit-code": {systemd.Service{Result: "exit-code", Code: observe.Exited, Status: 226}},
		"killed by SIGSYS, result signal":        {systemd.Service{Result: "signal", Code: observe.Killed, Status: 31}},
		"failed (failed), result protocol":       {systemd.Service{Result: "protocol", Active: "failed", Sub: "failed"}},
		// Of a process that is not the main one, for which systemd stops the rest.
		"the kernel had no memory left for it and killed it, result oom-kill": {systemd.Service{Result: "oom-kill", Code: observe.Killed, Status: 15}},
	} {
		if got := s.ended(); got != want || !s.failed() {
			t.Errorf("%+v ended as %q, want %q", s, got, want)
		}
	}
}
