package guard

import (
	"slices"
	"strings"
	"time"

	"temper/harness/trial"
	"temper/internal/systemd"
)

// facts are what is known about a hardened unit that has failed. None of them comes from what the service says.
type facts struct {
	runs   bool // it runs, or is about to
	failed bool // systemd has logged how its last run failed
	last   run
	settle time.Duration
	good   bool // some run under this hardening was good
	others bool // under this hardening there was a run in which a program of the service may have run
	setUp  bool // systemd never handed its last main process over to the program
	// cleared is set where a proof has found that this hardening is not at fault.
	cleared bool
}

// A step is what the guard does next.
type step int

const (
	leave    step = iota // the hardening stays
	note                 // it stays, and its last run was a good one
	prove                // a proof in a place decides
	giveBack             // the unit gets its vendor's settings
)

// decide says what becomes of a unit that has failed, and why.
func decide(f facts) (step, string) {
	switch {
	case f.runs:
		return leave, "runs: its hardening stays"
	case !f.failed:
		return leave, "nothing is known of a failure: its hardening stays"
	case f.last.lasted >= f.settle && f.last.started:
		return note, "failed " + f.last.lasted.Round(time.Millisecond).String() +
			" after it had started: its hardening stays"
	case f.good:
		return leave, "does not start, but it has started with this hardening before: the hardening stays"
	case f.setUp && !f.others:
		return giveBack, "systemd cannot set its sandbox up"
	case f.cleared:
		return leave, "does not start, and a proof has found that its hardening is not at fault: the hardening stays"
	}
	return prove, "does not start hardened"
}

// A Proof is what the proof of a unit that has failed has come to.
type Proof int

const (
	Proven    Proof = iota // it works hardened, and the verdict is stored
	Undecided              // nothing could be found out
	NoPlace                // this machine cannot run a place
)

// neverRan reports whether systemd says that it could not set the sandbox of a service up, before any program of the
// service ran: the main process has ended with a status of systemd's own, PID 1 was never told that it becomes the
// program, and no command came before it. A service cannot make that up, since the process tells PID 1 before the
// program is there. Before systemd 256 PID 1 does not know, and it counts as not said.
func neverRan(s systemd.Service) bool {
	handoff, known := s.Properties["ExecMainHandoffTimestampMonotonic"].(uint64)
	started := systemd.Get[uint64](s.Properties, "ExecMainStartTimestampMonotonic")
	if !known || started == 0 || handoff >= started || s.Code != systemd.Exited || !sandboxStep(s.Status) {
		return false
	}
	return !slices.ContainsFunc(s.Commands, func(c systemd.Command) bool {
		return strings.HasPrefix(c.Name, "ExecCondition=") || strings.HasPrefix(c.Name, "ExecStartPre=")
	})
}

// sandboxSteps are the steps at which systemd sets up what a drop-in of temper's asks for.
var sandboxSteps = []string{
	"SECUREBITS", "USER", "CAPABILITIES", "NETWORK", "NAMESPACE", "NO_NEW_PRIVILEGES", "SECCOMP", "PERSONALITY",
	"ADDRESS_FAMILIES", "KEYRING", "BPF",
}

// sandboxStep reports whether an exit status is that of a step which sets the sandbox up.
func sandboxStep(status int32) bool { return slices.Contains(sandboxSteps, trial.ExitName(status)) }

// isDown reports whether a unit does not run. One that systemd will start again counts as down until it does.
func isDown(s systemd.Service) bool {
	return s.Active == "failed" || s.Active == "inactive" || restarts(s)
}

// restarts reports whether a unit waits for systemd to start it again.
func restarts(s systemd.Service) bool {
	return s.Active == "activating" && slices.Contains(waiting, s.Sub)
}

// waiting are the states between two starts; the second is of systemd 254.
var waiting = []string{"auto-restart", "auto-restart-queued"}
