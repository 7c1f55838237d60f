package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"temper/harness/place"
	"temper/internal/unit"
	"temper/profiles"
)

// journalctl writes out what journald still holds, makes sure that there is a journal at all, then prints what one unit
// logged: messages of any length (--all), several lines in one (json).
const journalctl = `journalctl --sync
[ -n "$(journalctl --quiet --no-pager --lines=1)" ] || { echo there is no journal >&2; exit 1; }
exec journalctl --all --no-pager --quiet --output=json --output-fields=MESSAGE,_SYSTEMD_UNIT "$@"`

// probeJournal reads what the service logged in this trial. Each regular expression looks at one message at a time. What
// must not be there and is ends the check at once; what must be there and is not yet may still come.
//
// Limit: journald asks the kernel who sent a message. One that a process sends to the socket of syslog(3) as its last act
// belongs to nobody by then; what goes to standard output or error always belongs to its unit.
func probeJournal(c profiles.JournalCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		messages, err := journal(ctx, env)
		if err != nil {
			return "", err
		}
		for _, expr := range c.MustNot {
			if m, ok, err := find(expr, messages); err != nil {
				return "", final{err}
			} else if ok {
				return "", final{fmt.Errorf("want no message with /%s/, got %s", expr, quoted(m))}
			}
		}
		for _, expr := range c.Must {
			if _, ok, err := find(expr, messages); err != nil {
				return "", final{err}
			} else if !ok {
				return "", fmt.Errorf("want a message with /%s/, got %d messages without, the last %s", expr, len(messages), last(messages))
			}
		}
		return fmt.Sprintf("%d messages", len(messages)), nil
	}
}

// journal returns the messages that the trial's unit logged, or all instances of a template, oldest first.
func journal(ctx context.Context, env Env) ([]string, error) {
	args := []string{"/bin/sh", "-c", journalctl, "sh", "--since=@" + strconv.FormatInt(max(env.Since.Unix(), 0), 10)}
	if !unit.IsTemplate(env.Unit) { // of instances, those of the trial are found below
		args = append(args, "_SYSTEMD_UNIT="+env.Unit)
	}
	result, err := run(ctx, env, place.Command{Args: args})
	if err != nil {
		return nil, err
	}
	if result.Status != 0 {
		return nil, fmt.Errorf("journalctl: exit status %d%s", result.Status, said(result))
	}
	return decode(result.Stdout, env)
}

// decode reads the output of journalctl(1) --output=json and leaves out what is older than the trial or of another unit. Output that was cut at
// [place.MaxOutput], several thousand messages, counts as far as it goes.
func decode(text string, env Env) ([]string, error) {
	var messages []string
	for dec := json.NewDecoder(strings.NewReader(text)); ; {
		var entry struct {
			Time    string `json:"__REALTIME_TIMESTAMP"`
			Unit    string `json:"_SYSTEMD_UNIT"`
			Message json.RawMessage
		}
		if err := dec.Decode(&entry); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && len(text) >= place.MaxOutput {
			return messages, nil
		} else if err != nil {
			return nil, fmt.Errorf("journalctl: %w", err)
		}
		usec, err := strconv.ParseInt(entry.Time, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("journalctl: %w", err)
		}
		ours := entry.Unit == env.Unit || unit.IsTemplate(env.Unit) && unit.Template(entry.Unit) == env.Unit
		if ours && !time.UnixMicro(usec).Before(env.Since.Truncate(time.Microsecond)) {
			messages = append(messages, Texts(entry.Message)...)
		}
	}
}

// Texts reads the value of a field of journalctl(1) --output=json: a string, an array of bytes where it is not printable text, or an array of these
// where the field occurs several times in one entry.
func Texts(raw json.RawMessage) []string {
	var s string
	if json.Unmarshal(raw, &s) == nil && !bytes.Equal(raw, []byte("null")) {
		return []string{s}
	}
	var octets []uint16 // not []byte, which would be base64
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
		all = append(all, Texts(one)...)
	}
	return all
}

// find returns the first message that the expression matches.
func find(expr string, messages []string) (string, bool, error) {
	re, err := regexp.Compile(expr)
	if err != nil {
		return "", false, err
	}
	for _, m := range messages {
		if re.MatchString(m) {
			return m, true, nil
		}
	}
	return "", false, nil
}

func last(messages []string) string {
	if len(messages) == 0 {
		return "nothing"
	}
	return quoted(messages[len(messages)-1])
}
