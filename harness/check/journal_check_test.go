package check_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"temper/harness/check"
	"temper/internal/journal"
)

// logged is a place whose journal holds lines of JSON.
type logged struct {
	here
	lines []string
	err   error
}

func (l logged) Stream(_ context.Context, _ []string, read func(io.Reader) error) (int, string, error) {
	if err := read(strings.NewReader(strings.Join(l.lines, "\n"))); err != nil {
		return 0, "", err
	}
	return 0, "", l.err
}

func said(unit string, at time.Time, message string) string {
	return fmt.Sprintf(`{"_SYSTEMD_UNIT":%q,"__REALTIME_TIMESTAMP":"%d","MESSAGE":%q}`, unit, at.UnixMicro(), message)
}

func TestJournal(t *testing.T) {
	begin := time.UnixMicro(1_700_000_000_500_000)
	later := begin.Add(time.Second)
	long := `{"MESSAGE":"` + strings.Repeat("x", journal.MaxEntry) + `"}`
	env := func(unit string, lines ...string) check.Env {
		return check.Env{Place: logged{lines: lines}, Unit: unit, Since: begin}
	}
	for _, x := range []struct {
		env check.Env
		row
	}{
		{
			env("a.service", said("a.service", begin, "ready")),
			row{"from the first microsecond", wanted([]string{"ready"}), true, "1 messages"},
		},
		{
			env("a.service", said("a.service", begin.Add(-1000), "ready")),
			row{"not from before", wanted([]string{"ready"}), false, "got 0 messages without, the last nothing"},
		},
		{
			env("a.service", said("b.service", later, "bad")),
			row{"not of others", wanted(nil, "bad"), true, "0 messages"},
		},
		{
			env("a@.service", said("a@1.service", later, "bad")),
			row{"of instances", wanted(nil, "bad"), false, `got "bad"`},
		},
		{
			env("a@.service", said("ab@1.service", later, "bad")),
			row{"not of other templates", wanted(nil, "bad"), true, "0 messages"},
		},
		{
			env("a.service", long, said("a.service", later, "ready")),
			row{"what is too long can hide nothing that is there", wanted([]string{"ready"}), true, "1 messages"},
		},
		{
			env("a.service", long, said("a.service", later, "ready")),
			row{"but what must not be there", wanted(nil, "bad"), false, "1 messages were too long to read"},
		},
		{env("a.service", "no JSON"), row{
			"another output", wanted(nil, "bad"), false,
			"journalctl: invalid character",
		}},
		{
			check.Env{Place: logged{err: context.DeadlineExceeded}, Unit: "a.service", Since: begin},
			row{"not all was read", wanted(nil, "bad"), false, "journalctl: context deadline exceeded"},
		},
	} {
		judge(t, x.env, []row{x.row})
	}
}
