package guard

import (
	"testing"
	"time"

	"temper/internal/systemd"
)

func TestDecide(t *testing.T) {
	crashed := run{started: true, ended: true, failed: true, lasted: 100 * time.Millisecond}
	lasted := crashed
	lasted.lasted = time.Minute
	for _, test := range []struct {
		name  string
		facts facts
		want  step
	}{
		{"a crash at the start proves nothing by itself", facts{failed: true, last: crashed}, prove},
		{"it runs", facts{failed: true, last: crashed, isRunning: true, setupFailed: true}, keep},
		{"it did not fail", facts{last: run{started: true}}, keep},
		{"it failed later", facts{failed: true, last: lasted}, keepAndNote},
		{
			"it failed later, in the state that a service can bring about",
			facts{failed: true, last: lasted, setupFailed: true},
			keepAndNote,
		},
		{"it has run well before", facts{failed: true, last: crashed, hadGoodRun: true, setupFailed: true}, keep},
		{
			"systemd could not set the sandbox up",
			facts{failed: true, last: crashed, setupFailed: true},
			removeHardening,
		},
		{
			"systemd could, a moment ago",
			facts{failed: true, last: crashed, setupFailed: true, programMayHaveRun: true},
			prove,
		},
		{"a proof has cleared the hardening", facts{failed: true, last: crashed, cleared: true}, keep},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.facts.settle = time.Second
			if got, why := decide(test.facts); got != test.want || why == "" {
				t.Errorf("got %d (%s), want %d", got, why, test.want)
			}
		})
	}
}

// TestSandboxSetupFailed: the answer is true only with a systemd that knows whether the program was executed.
func TestSandboxSetupFailed(t *testing.T) {
	at := func(started, handoff uint64) systemd.Properties {
		return systemd.Properties{
			"ExecMainStartTimestampMonotonic":   started,
			"ExecMainHandoffTimestampMonotonic": handoff,
		}
	}
	for _, test := range []struct {
		name    string
		service systemd.Service
		want    bool
	}{
		{
			"the sandbox could not be set up",
			systemd.Service{Code: systemd.Exited, Status: 226, Properties: at(5, 0)},
			true,
		},
		{
			"the handoff is that of an earlier process",
			systemd.Service{Code: systemd.Exited, Status: 226, Properties: at(5, 3)},
			true,
		},
		{"a program called exit(226)", systemd.Service{Code: systemd.Exited, Status: 226, Properties: at(5, 6)}, false},
		{"another step failed", systemd.Service{Code: systemd.Exited, Status: 200, Properties: at(5, 0)}, false},
		{"somebody killed it first", systemd.Service{Code: systemd.Killed, Status: 226, Properties: at(5, 0)}, false},
		{
			"no main process was started",
			systemd.Service{Code: systemd.Exited, Status: 226, Properties: at(0, 0)},
			false,
		},
		{
			"a command of the service came before", systemd.Service{
				Code: systemd.Exited, Status: 226, Properties: at(5, 0),
				Commands: []systemd.Command{{Name: "ExecStartPre=/bin/x", Code: systemd.Exited}},
			}, false,
		},
		{
			"this systemd does not know", systemd.Service{
				Code: systemd.Exited, Status: 226,
				Properties: systemd.Properties{"ExecMainStartTimestampMonotonic": uint64(5)},
			}, false,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := sandboxSetupFailed(test.service); got != test.want {
				t.Errorf("got %t, want %t", got, test.want)
			}
		})
	}
}

func TestCameUp(t *testing.T) {
	now := time.Unix(100, 0)
	since := func(second int64) systemd.Properties {
		return systemd.Properties{"ActiveEnterTimestamp": uint64(time.Unix(second, 0).UnixMicro())}
	}
	waits := systemd.Service{Active: "activating", Sub: "auto-restart", Restarts: 3}
	for _, test := range []struct {
		name          string
		before, after systemd.Service
		up, failed    bool
	}{
		{
			"up for long enough",
			systemd.Service{},
			systemd.Service{Active: "active", Properties: since(98)},
			true,
			false,
		},
		{"not yet", systemd.Service{}, systemd.Service{Active: "active", Properties: since(99)}, false, false},
		{"still starting", systemd.Service{}, systemd.Service{Active: "activating", Sub: "start"}, false, false},
		{"failed", systemd.Service{}, systemd.Service{Active: "failed"}, false, true},
		{"done at once", systemd.Service{}, systemd.Service{Active: "inactive"}, true, false},
		{"failed, and waits for the next start", systemd.Service{}, waits, false, true},
		{"waits as before", waits, waits, false, false},
		{
			"failed once more than it was started", waits,
			systemd.Service{Active: "activating", Sub: "auto-restart", Restarts: 5},
			false, true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			up, err := cameUp(test.before, test.after, 2*time.Second, now)
			if up != test.up || (err != nil) != test.failed {
				t.Errorf("got %t, %v", up, err)
			}
		})
	}
}
