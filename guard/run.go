package guard

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"temper/internal/journal"
	"temper/internal/plain"
	"temper/internal/verdict"
)

// A run of a unit, as systemd logged it.
type run struct {
	id      string        // invocation ID
	begin   time.Time     // when the start job was done; if it was not, when the start job began
	started bool          // the start job was done
	ended   bool          // a process has exited, or systemd has logged that the run ended
	failed  bool          // systemd has logged that the run failed
	lasted  time.Duration // from begin to the end of the run, or until now
	exits   []exit        // of its processes, the earliest first
	message string        // what systemd has logged about the failure
}

// exit is how a process has ended, in systemd's words.
type exit struct{ code, status string }

// Messages of systemd about a run; sd-messages(3).
const (
	messageStarting = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageStarted  = "39f53479d3a045ac8e11786248231fbf"
	messageFailed   = "be02cf6855d2428ba40df7e9d022f03d" // the start job failed
	messageResult   = "d9b373ed55a64feb8242e02dbe79a49c" // the unit entered the failed state
	messageExit     = "98e322203f7a4ed290d09fe03c09fe15" // a process of the unit exited
	messageSuccess  = "7ad2d189f7e94e70a38c781354912448" // the unit ended without a failure
	messageStopping = "de5b426a63be47a7b6ac3eaac82e2f6f"
)

// endings are the messages that end a run.
var endings = []string{messageFailed, messageResult, messageExit, messageSuccess, messageStopping}

// An entry is an entry of the journal.
type entry struct {
	id, invocation, message, code, status string
	at                                    time.Time
}

// entrySize is roughly the memory that an entry takes without its message.
const entrySize = 256

func newEntry(e journal.Entry) entry {
	return entry{
		id: e.Text("MESSAGE_ID"), invocation: e.Text("INVOCATION_ID"), message: e.Text("MESSAGE"),
		code: e.Text("EXIT_CODE"), status: e.Text("EXIT_STATUS"), at: e.Time(),
	}
}

// readRuns reconstructs the runs of a unit from what PID 1 logged about it. Both lists begin with the newest. A run
// that has not ended lasts until now.
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

// follow updates a run with the next message of systemd about it.
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
		r.failed, r.message = true, plain.Line(e.message)
	}
}

// describeEnd says in words how the run ended.
func (r run) describeEnd() string {
	if len(r.exits) > 0 {
		last := r.exits[len(r.exits)-1]
		return "status " + last.code + " " + last.status
	}
	return r.message
}

// programMayHaveRun reports whether a program of the service may have run. None has run if at least one process ended,
// and every one with an exit status by which systemd says that it could not set up the sandbox.
func (r run) programMayHaveRun() bool {
	return len(r.exits) == 0 || slices.ContainsFunc(r.exits, func(e exit) bool {
		status, err := strconv.ParseInt(strings.TrimSpace(e.status), 10, 32)
		return e.code != "exited" || err != nil || !sandboxStep(int32(status))
	})
}

// evidence is what a verdict says about a run: how its processes ended, and the last lines of its log.
func (r run) evidence(log []entry) []verdict.Evidence {
	list := []verdict.Evidence{}
	for _, e := range r.exits {
		list = append(list, verdict.Evidence{Kind: "exit", Text: e.code + " " + e.status})
	}
	for _, e := range slices.Backward(log) {
		if e.message != "" {
			list = append(list, verdict.Evidence{Kind: "log", Text: plain.Line(e.message)})
		}
	}
	return list
}
