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
	IdleAges map[string][]time.Duration // ages of the processes before the first check; nil if there are no checks
	IdleTime time.Duration              // how long the launch waited before the checks
}

// NewLaunch returns an empty launch.
func NewLaunch() Launch {
	return Launch{
		Phases: map[string]Snapshot{}, Watched: map[string]time.Duration{},
		Ends: map[string]string{}, Errors: map[string]string{},
	}
}

// mainProcess is the key of the main process in Launch.Ends.
const mainProcess = "the main process"

// AddEnds adds how often a service was restarted, and how its commands ended that have ended.
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

// endedWell is the end of a process that is never a difference.
const endedWell = "success"

// ending says how a process ended. It does not distinguish the signals that systemd takes for success,
// systemd.service(5): which of them ends a service depends on the moment at which it is stopped.
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
