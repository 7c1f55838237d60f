package observe

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/systemd"
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

// mainProcess is the name of the end of a service's main process.
const mainProcess = "the main process"

// AddEnds adds how often a service was restarted and how its commands ended, those that have.
func (l *Launch) AddEnds(s systemd.Service) {
	l.Restarts = max(l.Restarts, s.Restarts)
	for _, c := range s.Commands {
		l.Ends[c.Name] = ending(c.Code, c.Status)
	}
	if s.Code != 0 {
		l.Ends[mainProcess] = ending(s.Code, s.Status)
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

// ending says how a process ended. With which of the signals that systemd takes for success, systemd.service(5), a
// service ends depends on how far it was when it was stopped.
func ending(code, status int32) string {
	harmless := []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE}
	switch signal := unix.Signal(status); {
	case code == systemd.Exited && status == 0, code == systemd.Killed && slices.Contains(harmless, signal):
		return endedWell
	case code == systemd.Exited:
		return fmt.Sprintf("status %d", status)
	default:
		return unix.SignalName(signal)
	}
}
