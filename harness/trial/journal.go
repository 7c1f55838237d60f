package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"temper/harness/check"
	"temper/harness/place"
)

// entry is a message of the journal; systemd.journal-fields(7).
type entry struct {
	text     string
	priority int
	own      bool   // by a process of the unit, not about it
	cursor   string // where it is in the journal
}

// errorPriority is LOG_ERR of syslog(3).
const errorPriority = 3

// journalctl waits until what was logged can be read, then prints what units logged and what systemd said of them, the
// newest first: what is too much is the oldest.
const journalctl = `export LC_ALL=C
journalctl --sync
exec journalctl --all --no-pager --quiet --reverse --lines=1000 --output=json --output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,_PID "$@"`

// mostLines is how many messages journalctl prints at once.
const mostLines = 1000

// journal reads what a unit logged since a time, oldest first: of more than can be read at once the last messages, and
// before them the errors. The unit can be a pattern of glob(7).
func journal(ctx context.Context, where *place.Place, unit string, since time.Time) ([]entry, error) {
	find := []string{fmt.Sprintf("--since=@%d", since.Unix()), "--unit=" + unit}
	last, whole, err := query(ctx, where, find)
	if err != nil || whole {
		return last, err
	}
	failures, _, err := query(ctx, where, append(find, "--priority=err"))
	before := slices.DeleteFunc(failures, func(e entry) bool {
		return slices.ContainsFunc(last, func(l entry) bool { return l.cursor == e.cursor })
	})
	return append(before, last...), err
}

// query returns the messages that journalctl finds, oldest first, and whether that is all of them.
func query(ctx context.Context, where *place.Place, find []string) (entries []entry, whole bool, err error) {
	r, err := where.Run(ctx, place.Command{Args: append([]string{"/bin/sh", "-c", journalctl, "sh"}, find...), Timeout: time.Minute})
	if err != nil {
		return nil, false, err
	}
	// That a pattern fits no unit in the journal is an error to it, and none here: nothing was logged.
	if r.Status != 0 && !strings.Contains(r.Stderr, "No data available") {
		return nil, false, fmt.Errorf("journalctl: exit status %d: %s", r.Status, strings.TrimSpace(r.Stderr))
	}
	cut := len(r.Stdout) >= place.MaxOutput
	entries, err = decode(r.Stdout, cut)
	slices.Reverse(entries)
	return entries, !cut && len(entries) < mostLines, err
}

// decode reads the output of journalctl(1) --output=json. Where it was cut, the last message counts only if it is
// whole.
func decode(text string, cut bool) ([]entry, error) {
	var entries []entry
	for dec := json.NewDecoder(strings.NewReader(text)); ; {
		var fields struct {
			Cursor   string          `json:"__CURSOR"`
			Message  json.RawMessage `json:"MESSAGE"`
			Priority json.RawMessage `json:"PRIORITY"` // several, if a service says several
			Unit     string          `json:"_SYSTEMD_UNIT"`
		}
		if err := dec.Decode(&fields); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && cut {
			return entries, nil
		} else if err != nil {
			return nil, fmt.Errorf("journalctl: %w", err)
		}
		priority := errorPriority + 1 // without one a message is no error
		for _, text := range check.Texts(fields.Priority) {
			if n, err := strconv.Atoi(text); err == nil {
				priority = min(priority, n)
			}
		}
		text := strings.Join(check.Texts(fields.Message), "\n")
		entries = append(entries, entry{text, priority, fields.Unit != "init.scope", fields.Cursor})
	}
}
