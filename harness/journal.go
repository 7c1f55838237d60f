package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"temper/harness/place"
)

// entry is a message of the journal; systemd.journal-fields(7).
type entry struct {
	text     string
	priority int
	own      bool // by a process of the unit, not about it
}

// errorPriority is LOG_ERR of syslog(3).
const errorPriority = 3

// journalctl waits until what was logged can be read, then prints what units logged and what systemd said of them.
const journalctl = `journalctl --sync
exec journalctl --all --no-pager --quiet --lines=1000 --output=json --output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,_PID --since="@$1" --unit="$2"`

// journal reads what a unit logged since a time, oldest first. The unit can be a pattern of glob(7).
func journal(ctx context.Context, where *place.Place, unit string, since time.Time) ([]entry, error) {
	r, err := where.Run(ctx, place.Command{
		Args: []string{"/bin/sh", "-c", journalctl, "sh", strconv.FormatInt(since.Unix(), 10), unit}, Timeout: time.Minute,
	})
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, line := range splitLines(r.Stdout) {
		var fields struct {
			Message  json.RawMessage `json:"MESSAGE"`
			Priority string          `json:"PRIORITY"`
			Unit     string          `json:"_SYSTEMD_UNIT"`
		}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			return entries, fmt.Errorf("journalctl: %w", err)
		}
		priority, err := strconv.Atoi(fields.Priority)
		if err != nil {
			priority = errorPriority + 1 // without one a message is no error
		}
		entries = append(entries, entry{message(fields.Message), priority, fields.Unit != "init.scope"})
	}
	return entries, nil
}

// message reads a field that is an array of bytes where it is not text.
func message(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var octets []uint16
	if json.Unmarshal(raw, &octets) != nil {
		return ""
	}
	var b strings.Builder
	for _, o := range octets {
		b.WriteByte(byte(o))
	}
	return b.String()
}
