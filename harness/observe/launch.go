package observe

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A Launch is what one launch of a service showed from its start to its end.
type Launch struct {
	Phases   map[string]Snapshot
	Watched  map[string]time.Duration // how long each phase was watched
	Ends     map[string]string        // how each command ended, by its name
	Errors   map[string]string        // messages of priority err and above, by their text without numbers
	Restarts uint32
	Before   map[string][]time.Duration // ages without hardening before any check; nil if there are no checks
	Rested   time.Duration              // how long it was left alone before its checks
}

// NewLaunch returns a launch that has shown nothing yet.
func NewLaunch() Launch {
	return Launch{
		Phases: map[string]Snapshot{}, Watched: map[string]time.Duration{},
		Ends: map[string]string{}, Errors: map[string]string{},
	}
}

// An End is how a process ended; waitid(2).
type End struct {
	Name         string // the command, or MainProcess
	Code, Status int32
}

// MainProcess is the name of the end of a service's main process.
const MainProcess = "the main process"

// Values of End.Code; waitid(2).
const (
	Exited = 1 // CLD_EXITED
	Killed = 2 // CLD_KILLED
)

// AddEnds adds how often a unit was restarted and how its commands ended, those that have.
func (l *Launch) AddEnds(restarts uint32, ends ...End) {
	l.Restarts = max(l.Restarts, restarts)
	for _, e := range ends {
		if e.Code != 0 {
			l.Ends[e.Name] = e.String()
		}
	}
}

// AddErrors adds messages of priority err and above.
func (l *Launch) AddErrors(messages ...string) {
	for _, m := range messages {
		l.Errors[withoutNumbers(m)] = m
	}
}

// endedWell is the end of a process that is no failure, whatever it is without hardening.
const endedWell = "success"

// String says how the process ended. With which of the signals that systemd takes for success, systemd.service(5), a
// service ends depends on how far it was when it was stopped.
func (e End) String() string {
	harmless := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE}
	switch signal := unix.Signal(e.Status); {
	case e.Code == Exited && e.Status == 0, e.Code == Killed && slices.Contains(harmless, signal):
		return endedWell
	case e.Code == Exited:
		return fmt.Sprintf("status %d", e.Status)
	default:
		return unix.SignalName(signal)
	}
}
