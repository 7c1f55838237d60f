package output

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/internal/verdict"
)

// TestProgressOnTerminal: whatever is printed while two units are under way stays on the screen, above their lines.
func TestProgressOnTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	screen := newScreen(t)
	p := NewProgress(Printer{Out: screen.terminal, Err: screen.terminal, Format: "text"}, Work{})
	found := func(unit string) verdict.Verdict {
		return verdict.Verdict{Unit: unit, Result: verdict.Inconclusive, Profile: "p"}
	}

	p.Step("a.service", "trial 1")
	p.Step("b.service", "trial 1, of which so much is told that it does not fit into the line of a terminal that is "+
		"narrow")
	screen.shows(t,
		"a.service: trial 1",
		"b.service: trial 1, of which so much is told that it does n",
	)
	p.Warn(errors.New("the stored verdict is kept"))
	p.Step("a.service", "trial 2")
	screen.shows(t,
		"temper: the stored verdict is kept",
		"a.service: trial 2",
		"b.service: trial 1, of which so much is told that it does n",
	)
	p.Result(found("a.service"))
	p.Warn(errors.New("a.service: exposure 2.0"))
	p.Step("b.service", "trial 2")
	p.Done("b.service")
	p.Warn(errors.New("b.service: gone"))
	screen.shows(t,
		"temper: the stored verdict is kept",
		"a.service: inconclusive (profile p, 0 trials, 0.0 s)",
		"temper: a.service: exposure 2.0",
		"temper: b.service: gone",
	)
}

// TestProgressElsewhere: where talk goes to no terminal each step is a line.
func TestProgressElsewhere(t *testing.T) {
	var out, talk bytes.Buffer
	p := NewProgress(Printer{Out: &out, Err: &talk, Format: "json"}, Work{})
	p.Step("a.service", "trial 1")
	p.Warn(errors.New("odd"))
	p.Result(verdict.Verdict{Unit: "a.service"})
	if want := "a.service: trial 1\ntemper: odd\n"; talk.String() != want || out.Len() > 0 {
		t.Errorf("printed %q and said %q, want %q", out.String(), talk.String(), want)
	}
}

// A screen is what a person sees of a terminal: it knows the few control sequences that progress uses.
type screen struct {
	terminal *os.File // what programs write to
	written  *os.File // where that is read
	text     string   // all that was read
}

const columns = 60

func newScreen(t *testing.T) *screen {
	t.Helper()
	written, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { written.Close() })
	number, err := unix.IoctlGetInt(int(written.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(written.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(written.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns})
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return &screen{terminal: terminal, written: written}
}

// shows wants lines to be what is on the screen.
func (s *screen) shows(t *testing.T, want ...string) {
	t.Helper()
	const end = "\x00"
	if _, err := s.terminal.WriteString(end); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(10*time.Second, func() { s.terminal.Close(); s.written.Close() })
	defer watchdog.Stop()
	for buffer, whole := make([]byte, 4096), false; !whole; {
		n, err := s.written.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		s.text, whole = strings.CutSuffix(s.text+string(buffer[:n]), end)
	}
	if diff := cmp.Diff(want, render(t, s.text)); diff != "" {
		t.Errorf("on the screen (-want +got):\n%s", diff)
	}
}

// render returns the lines that a terminal shows after it was sent a text.
func render(t *testing.T, text string) []string {
	t.Helper()
	lines, row, column := []string{""}, 0, 0
	for text != "" {
		var up int
		switch {
		case text[0] == '\n':
			if row++; row == len(lines) {
				lines = append(lines, "")
			}
			text = text[1:]
		case text[0] == '\r':
			column, text = 0, text[1:]
		case strings.HasPrefix(text, "\x1b[J"):
			lines[row], lines = lines[row][:column], lines[:row+1]
			text = text[len("\x1b[J"):]
		case text[0] == 0x1b:
			if _, err := fmt.Sscanf(text, "\x1b[%dA", &up); err != nil {
				t.Fatalf("an unknown control sequence: %q", text)
			}
			row -= up
			text = text[strings.Index(text, "A")+1:]
		default:
			if column == columns {
				t.Fatalf("a line is too long for the terminal: %q", lines[row])
			}
			lines[row] = lines[row][:column] + text[:1]
			column, text = column+1, text[1:]
		}
	}
	return slices.DeleteFunc(lines, func(l string) bool { return l == "" })
}

// TestWorkOnTerminal: of several units it is said how far the proofs are.
func TestWorkOnTerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	screen := newScreen(t)
	p := NewProgress(Printer{Out: screen.terminal, Err: screen.terminal, Format: "text"}, Work{
		Units: []string{"a.service", "b.service", "c.service"}, Jobs: 1,
		Took: map[string]float64{"a.service": 100, "b.service": 200, "c.service": 300},
	})
	p.Step("a.service", "trial 1")
	screen.shows(t, "unit 1 of 3, about 10 min left", "a.service: trial 1")
	p.Done("a.service")
	p.Step("b.service", "trial 1")
	screen.shows(t, "unit 2 of 3, about 8 min left", "b.service: trial 1")
	p.Result(verdict.Verdict{Unit: "b.service", Result: verdict.Flaky, Profile: "p"})
	screen.shows(t, "b.service: flaky (profile p, 0 trials, 0.0 s)")
}
