package trial

import (
	"context"
	"errors"
	"slices"
	"time"

	"temper/internal/journal"
	"temper/internal/verdict"
)

// message is what a unit logged, or what systemd said about it.
type message struct {
	text     string
	priority int
	own      bool   // a process of the unit sent it; false for a message about the unit
	cursor   string // its position in the journal
}

const (
	// maxMessages and maxBytes are how much of a log is read at once.
	maxMessages = 1000
	maxBytes    = 4 << 20
	// maxMessage is how much of one message is kept.
	maxMessage = 4 << 10

	logTimeout = time.Minute
	tooLong    = "(a message that is too long to read)"
)

// serviceLog reads what a unit has logged since a time, the oldest first. If there is more than can be read at once, it
// returns the last messages, and before them the earlier errors. The unit can be a pattern of glob(7).
func serviceLog(ctx context.Context, where journal.System, unit string, since time.Time) ([]message, error) {
	q := journal.Query{
		Since: since, Last: maxMessages, Match: []string{"--unit=" + unit}, Sync: true,
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

// lastMessages returns the last messages that match a query, the oldest first, and whether these are all.
func lastMessages(ctx context.Context, where journal.System, q journal.Query) (list []message, whole bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	size := 0
	err = journal.Read(ctx, where, q, func(e journal.Entry) bool {
		m := message{e.Text("MESSAGE"), e.Priority(), e.Text("_SYSTEMD_UNIT") != "init.scope", e.Cursor()}
		if e.TooLong {
			m.text = tooLong
		}
		m.text = verdict.Shorten(m.text, maxMessage)
		size += len(m.text)
		if size <= maxBytes {
			list = append(list, m)
		}
		return size <= maxBytes
	})
	if errors.Is(err, journal.ErrNone) {
		err = nil // nothing was logged
	}
	slices.Reverse(list)
	return list, size <= maxBytes && len(list) < q.Last, err
}
