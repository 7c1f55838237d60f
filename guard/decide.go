package guard

import (
	"slices"
	"strings"
	"time"

	"temper/harness/trial"
	"temper/internal/systemd"
)

// facts are what is known about a hardened unit that has failed. None of them comes from the service itself.
type facts struct {
	isRunning         bool // the unit runs, or is about to
	failed            bool // systemd has logged how the last run failed
	last              run
	settle            time.Duration
	since             time.Time // every later run was under this hardening
	hadGoodRun        bool      // an earlier run under this hardening was good
	programMayHaveRun bool      // in an earlier run under this hardening, a program of the service may have run
	setupFailed       bool      // in the last run, systemd could not set up the sandbox
	cleared           bool      // a proof has found that this hardening is not at fault
}

// A step is what the guard does next.
type step int

const (
	keep            step = iota // the hardening stays
	keepAndNote                 // the hardening stays, and a note says that it had a good run
	prove                       // a proof in a place decides
	removeHardening             // the unit gets its vendor's settings
)

// decide returns what the guard does about a unit that has failed, and the reason.
func decide(f facts) (step, string) {
	switch {
	case f.isRunning:
		return keep, "runs: its hardening stays"
	case !f.failed:
		return keep, "nothing is known of a failure: its hardening stays"
	case f.last.lasted >= f.settle && f.last.started:
		return keepAndNote, "failed " + f.last.lasted.Round(time.Millisecond).String() +
			" after it had started: its hardening stays"
	case f.hadGoodRun:
		return keep, "does not start, but it has started with this hardening before: the hardening stays"
	case f.setupFailed && !f.programMayHaveRun:
		return removeHardening, "systemd cannot set its sandbox up"
	case f.cleared:
		return keep, "does not start, and a proof has found that its hardening is not at fault: the hardening stays"
	}
	return prove, "does not start hardened"
}

// A Proof is the result of proving a unit that has failed.
type Proof int

const (
	Proven    Proof = iota // the unit works hardened, and the verdict is stored
	Undecided              // the proof could not tell whether the unit works hardened
	NoPlace                // this machine cannot run a place
)

// sandboxSetupFailed reports whether systemd says that it could not set up the sandbox of a service before any program
// of the service ran: the main process ended with an exit status of systemd's own, it never reported to PID 1 that it
// executes the program, and no other command ran before it. A service cannot fake this, since the process reports to
// PID 1 before it executes the program. Before systemd 256 PID 1 gets no such report, and the answer is false.
func sandboxSetupFailed(s systemd.Service) bool {
	handoff, known := s.Properties["ExecMainHandoffTimestampMonotonic"].(uint64)
	started := systemd.Get[uint64](s.Properties, "ExecMainStartTimestampMonotonic")
	if !known || started == 0 || handoff >= started || s.Code != systemd.Exited || !sandboxStep(s.Status) {
		return false
	}
	return !slices.ContainsFunc(s.Commands, func(c systemd.Command) bool {
		return strings.HasPrefix(c.Name, "ExecCondition=") || strings.HasPrefix(c.Name, "ExecStartPre=")
	})
}

// sandboxSteps are the steps at which systemd sets up what a drop-in of temper asks for, by their exit status names.
var sandboxSteps = []string{
	"SECUREBITS", "USER", "CAPABILITIES", "NETWORK", "NAMESPACE", "NO_NEW_PRIVILEGES", "SECCOMP", "PERSONALITY",
	"ADDRESS_FAMILIES", "KEYRING", "BPF",
}

// sandboxStep reports whether an exit status means that one of sandboxSteps failed.
func sandboxStep(status int32) bool { return slices.Contains(sandboxSteps, trial.ExitName(status)) }

// isDown reports whether a unit does not run. A unit that waits for systemd to restart it is down.
func isDown(s systemd.Service) bool {
	return s.Active == "failed" || s.Active == "inactive" || waitsForRestart(s)
}

// restarts reports whether a unit waits for systemd to start it again.
func waitsForRestart(s systemd.Service) bool {
	return s.Active == "activating" && slices.Contains(restartStates, s.Sub)
}

// restartStates are the states between a failure and the restart. The second one exists since systemd 254.
var restartStates = []string{"auto-restart", "auto-restart-queued"}
