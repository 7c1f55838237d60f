package guard

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"temper/internal/journal"
	"temper/internal/verdict"
)

// A run of a unit, as systemd logged it.
type run struct {
	id      string        // its invocation
	begin   time.Time     // when the start job was done; else when it began
	started bool          // the start job was done
	ended   bool          // a process has exited, or systemd says that it is over
	failed  bool          // systemd says that it failed
	lasted  time.Duration // from begin to its end, or until now
	exits   []exit        // of its processes, the first first
	message string        // systemd's, about its failure
}

// exit is how a process has ended, in systemd's words.
type exit struct{ code, status string }

// Messages of systemd by which a run is followed; sd-messages(3).
const (
	messageStarting = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageStarted  = "39f53479d3a045ac8e11786248231fbf"
	messageFailed   = "be02cf6855d2428ba40df7e9d022f03d" // the start job failed
	messageResult   = "d9b373ed55a64feb8242e02dbe79a49c" // the unit entered the failed state
	messageExit     = "98e322203f7a4ed290d09fe03c09fe15" // a process of it exited
	messageSuccess  = "7ad2d189f7e94e70a38c781354912448" // it ended well
	messageStopping = "de5b426a63be47a7b6ac3eaac82e2f6f"
)

// endings are the messages after which a run does not go on.
var endings = []string{messageFailed, messageResult, messageExit, messageSuccess, messageStopping}

// An entry is one of the journal.
type entry struct {
	id, invocation, message, code, status string
	at                                    time.Time
}

// entrySize is about what an entry takes besides its message.
const entrySize = 256

func newEntry(e journal.Entry) entry {
	return entry{
		e.Text("MESSAGE_ID"),
		e.Text("INVOCATION_ID"),
		e.Text("MESSAGE"),
		e.Text("EXIT_CODE"),
		e.Text("EXIT_STATUS"),
		e.Time(),
	}
}

// readRuns follows the runs of a unit through what PID 1 logged of it, the newest entry first. It returns the newest
// run first. A run that has not ended lasts until now.
func readRuns(entries []entry, now time.Time) []run {
	var runs []run
	for _, e := range slices.Backward(entries) {
		if e.invocation == "" {
			continue
		}
		at := slices.IndexFunc(runs, func(r run) bool { return r.id == e.invocation })
		if at < 0 {
			at = len(runs)
			runs = append(runs, run{id: e.invocation, begin: e.at})
		}
		runs[at].follow(e)
	}
	for i, r := range runs {
		if !r.ended {
			runs[i].lasted = now.Sub(r.begin)
		}
	}
	slices.Reverse(runs)
	return runs
}

// follow takes the next message of systemd about a run.
func (r *run) follow(e entry) {
	if e.id == messageStarted && !r.ended {
		r.started, r.begin = true, e.at
	}
	if slices.Contains(endings, e.id) && !r.ended {
		r.ended, r.lasted = true, e.at.Sub(r.begin)
	}
	switch e.id {
	case messageExit:
		r.exits = append(r.exits, exit{e.code, e.status})
	case messageFailed:
		r.failed = true
	case messageResult:
		r.failed, r.message = true, printable(e.message)
	}
}

// how says how the run ended, in words.
func (r run) how() string {
	if len(r.exits) > 0 {
		last := r.exits[len(r.exits)-1]
		return "status " + last.code + " " + last.status
	}
	return r.message
}

// programMayHaveRun reports whether a program of the service may have run: each of its processes that ended otherwise
// than systemd does where it cannot set a sandbox up was one, and so is one that has not ended.
func (r run) programMayHaveRun() bool {
	return len(r.exits) == 0 || slices.ContainsFunc(r.exits, func(e exit) bool {
		status, err := strconv.ParseInt(strings.TrimSpace(e.status), 10, 32)
		return e.code != "exited" || err != nil || !sandboxStep(int32(status))
	})
}

// evidence is what is kept of a run in a verdict: how its processes ended, and the last lines of its log.
func (r run) evidence(log []entry) []verdict.Evidence {
	list := []verdict.Evidence{}
	for _, e := range r.exits {
		list = append(list, verdict.Evidence{Kind: "exit", Text: e.code + " " + e.status})
	}
	for _, e := range slices.Backward(log) {
		if e.message != "" {
			list = append(list, verdict.Evidence{Kind: "log", Text: printable(e.message)})
		}
	}
	return list
}

// printable makes a line of a log harmless for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
