package observe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/systemd"
)

// A Launch is what one launch of a service showed from its start to its end.
type Launch struct {
	Phases   map[string]Snapshot
	Watched  map[string]time.Duration // how long each phase was watched
	Ends     map[string]string        // how each command ended, by its name
	Lines    map[string]Line          // what the service logged, by the text without what changes at each launch
	Files    map[string]Files         // what it had made, changed and removed when a phase ended, by phase
	Answers  map[string]Facts         // to probes, by socket or name on the bus; nil if nothing was asked
	Served   []string                 // what it did for the clients that asked it
	Restarts uint32
	IdleAges map[string][]time.Duration // ages of the processes before the first check; nil if there are no checks
	IdleTime time.Duration              // how long the launch waited before the checks
	Expected []string                   // the differences that the profile means; see profiles.Prove
}

// Facts are what was answered to a probe, by what each is about: "status": "200 OK".
type Facts = map[string]string

// NewLaunch returns an empty launch.
func NewLaunch() Launch {
	return Launch{
		Phases: map[string]Snapshot{}, Watched: map[string]time.Duration{},
		Ends: map[string]string{}, Lines: map[string]Line{}, Files: map[string]Files{},
	}
}

// Work lists what shows that the service was at work, and not only started: what it did for clients, and the files that
// it left if it is a service that ends by itself. Files that a daemon writes at its start show nothing.
func (l *Launch) Work() []string {
	work := slices.Clone(l.Served)
	if len(l.Phases["running"].Processes) > 0 {
		return work
	}
	for _, name := range slices.Sorted(maps.Keys(l.Files["stopped"])) {
		f := l.Files["stopped"][name]
		if f.Kind == "file" && f.Size > 0 && !f.Kept && !f.Shared && f.Lasting {
			work = append(work, "writes "+name)
		}
	}
	return work
}

// Rename replaces a name in the lines of the log. It does not change which lines are alike.
func (l *Launch) Rename(from, to string) {
	for key, line := range l.Lines {
		line.Text = strings.ReplaceAll(line.Text, from, to)
		l.Lines[key] = line
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
