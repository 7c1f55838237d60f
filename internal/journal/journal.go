// Package journal reads what journalctl(1) prints: what services logged, and what systemd said about them.
//
// Call [Read] with a [Query]. It reads entry by entry: only one entry is in memory at a time.
//
// Limits: of an entry of more than [MaxEntry] bytes, only its existence is known. journald drops messages of a service
// that logs too many at once.
package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
	"time"
)

// A Query says which entries to read.
type Query struct {
	Since  time.Time // entries from that second on; the zero time means all entries
	Last   int       // the number of newest entries to read, the newest first; 0 means all entries, the oldest first
	Fields []string  // the fields to read, apart from the time and the cursor
	// Match are further arguments, such as "--unit=a.service", "--priority=err" or "_PID=1".
	Match []string
	Short bool // values of more than 4096 bytes are left out, to save memory
	// Sync makes journald first write all messages that it has received. It is then an error if there is no journal.
	Sync bool
}

// ErrNone says that there is no journal, so it is not known what was logged.
var ErrNone = errors.New("there is no journal")

// sync makes journald write all messages that it has received, checks that there is a journal, and then prints it.
const sync = `export LC_ALL=C
journalctl --sync
newest=$(journalctl --quiet --no-pager --lines=1) || exit
[ -n "$newest" ] || exit 66
exec journalctl "$@"`

const noJournal = 66 // EX_NOINPUT

// command returns the command that prints the entries as JSON, which keeps the lines of a message together. --all
// prints messages of any length.
func (q Query) command() []string {
	args := []string{"journalctl"}
	if !q.Short {
		args = append(args, "--all")
	}
	args = append(args, "--no-pager", "--quiet", "--output=json", "--output-fields="+strings.Join(q.Fields, ","))
	if q.Sync {
		args = append([]string{"/bin/sh", "-c", sync}, args...)
	}
	if !q.Since.IsZero() {
		args = append(args, "--since=@"+strconv.FormatInt(q.Since.Unix(), 10))
	}
	if q.Last > 0 {
		args = append(args, "--reverse", "--lines="+strconv.Itoa(q.Last))
	}
	return append(args, q.Match...)
}

// System runs commands on a machine or in a place that has a journal.
type System interface {
	// Stream runs a command while read reads its output, and kills the command when read returns. If the command ended
	// by itself, Stream returns its exit status and what it wrote to stderr.
	Stream(ctx context.Context, args []string, read func(io.Reader) error) (status int, complaints string, err error)
}

// Read calls use with each entry that the query finds, until use returns false. An error says that not all entries were
// read; it wraps [ErrNone] if there is no journal.
func Read(ctx context.Context, from System, q Query, use func(Entry) bool) error {
	enough := false
	status, complaints, err := from.Stream(ctx, q.command(), func(output io.Reader) error {
		for e, err := range Entries(output) {
			if err != nil {
				return err
			}
			if enough = !use(e); enough {
				return nil
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("journalctl: %w", err)
	case enough || status == 0:
		return nil
	case status == noJournal:
		return ErrNone
	case strings.Contains(complaints, "No data available"): // no unit matches the pattern, so nothing was logged
		return nil
	}
	return fmt.Errorf("journalctl: exit status %d: %s", status, strings.TrimSpace(complaints))
}

// MaxEntry is the longest entry that is read, in bytes of JSON.
const MaxEntry = 4 << 20

// An Entry is one entry of the journal; see systemd.journal-fields(7).
type Entry struct {
	TooLong bool // the entry is longer than MaxEntry, and has no fields here
	fields  map[string]json.RawMessage
}

// Entries reads the output of journalctl(1) --output=json. It ends with an error if the output is something else.
func Entries(output io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for line, err := range lines(output) {
			e := Entry{TooLong: err == nil && line == nil}
			if line != nil {
				err = json.Unmarshal(line, &e.fields)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// lines yields the lines of r, and nil for a line that is longer than [MaxEntry]. A line is valid until the next one is
// read.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		in := bufio.NewReader(r)
		var line []byte
		tooLong := false
		for {
			part, err := in.ReadSlice('\n')
			if tooLong = tooLong || len(line)+len(part) > MaxEntry; !tooLong {
				line = append(line, part...)
			}
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				continue
			case errors.Is(err, io.EOF) && len(line) == 0 && !tooLong:
				return
			case err != nil && !errors.Is(err, io.EOF):
				yield(nil, err)
				return
			}
			if tooLong {
				line = nil
			}
			if !yield(line, nil) || err != nil {
				return
			}
			line, tooLong = line[:0], false
		}
	}
}

// Texts returns the values of a field; an entry can have several.
func (e Entry) Texts(field string) []string { return texts(e.fields[field]) }

// Text returns the value of a field, one line for each if there are several; "" if there is none.
func (e Entry) Text(field string) string { return strings.Join(e.Texts(field), "\n") }

// Cursor returns the position of the entry in the journal.
func (e Entry) Cursor() string { return e.Text("__CURSOR") }

// Time returns when journald received the entry, to the microsecond; the zero time if the entry does not say so.
func (e Entry) Time() time.Time {
	usec, err := strconv.ParseInt(e.Text("__REALTIME_TIMESTAMP"), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(usec)
}

// Error is LOG_ERR of syslog(3).
const Error = 3

// Priority returns the most urgent priority of the entry; without one it returns a number that is less urgent than any
// priority.
func (e Entry) Priority() int {
	priority := 8
	for _, text := range e.Texts("PRIORITY") {
		if n, err := strconv.Atoi(text); err == nil {
			priority = min(priority, n)
		}
	}
	return priority
}

// texts reads the value of a field: a string, or an array of bytes if it is not printable text, or an array of both if
// the entry has several values.
func texts(raw json.RawMessage) []string {
	var s string
	if json.Unmarshal(raw, &s) == nil && !bytes.Equal(raw, []byte("null")) {
		return []string{s}
	}
	var octets []uint16 // not []byte, which encoding/json reads as base64
	if json.Unmarshal(raw, &octets) == nil && len(octets) > 0 {
		b := make([]byte, len(octets))
		for i, o := range octets {
			b[i] = byte(o)
		}
		return []string{string(b)}
	}
	var several []json.RawMessage
	if json.Unmarshal(raw, &several) != nil {
		return nil
	}
	var all []string
	for _, one := range several {
		all = append(all, texts(one)...)
	}
	return all
}
