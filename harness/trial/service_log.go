package trial

import (
	"context"
	"errors"
	"slices"
	"time"

	"temper/internal/journal"
)

// message is what a unit logged, or what systemd said about it.
type message struct {
	text     string
	priority int
	own      bool   // by a process of the unit, not about it
	cursor   string // where it is in the journal
}

const (
	// mostMessages and mostBytes are how much of a log is read at once.
	mostMessages = 1000
	mostBytes    = 4 << 20

	logWithin = time.Minute
	tooLong   = "(a message that is too long to read)"
)

// serviceLog reads what a unit logged since a time, oldest first: of more than can be read at once the last messages,
// and before them the errors. The unit can be a pattern of glob(7).
func serviceLog(ctx context.Context, where journal.System, unit string, since time.Time) ([]message, error) {
	q := journal.Query{
		Since: since, Last: mostMessages, Match: []string{"--unit=" + unit}, Sync: true,
		Fields: []string{"MESSAGE", "PRIORITY", "_SYSTEMD_UNIT"},
	}
	last, whole, err := lastMessages(ctx, where, q)
	if err != nil || whole {
		return last, err
	}
	q.Match = append(q.Match, "--priority=err")
	failures, _, err := lastMessages(ctx, where, q)
	before := slices.DeleteFunc(failures, func(f message) bool {
		return slices.ContainsFunc(last, func(m message) bool { return m.cursor == f.cursor })
	})
	return append(before, last...), err
}

// lastMessages returns the messages that a query finds, oldest first, and whether that is all of them.
func lastMessages(ctx context.Context, where journal.System, q journal.Query) (list []message, whole bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, logWithin)
	defer cancel()
	size := 0
	err = journal.Read(ctx, where, q, func(e journal.Entry) bool {
		m := message{e.Text("MESSAGE"), e.Priority(), e.Text("_SYSTEMD_UNIT") != "init.scope", e.Cursor()}
		if e.TooLong {
			m.text = tooLong
		}
		size += len(m.text)
		if size <= mostBytes {
			list = append(list, m)
		}
		return size <= mostBytes
	})
	if errors.Is(err, journal.ErrNone) {
		err = nil // nothing was logged
	}
	slices.Reverse(list)
	return list, size <= mostBytes && len(list) < q.Last, err
}
