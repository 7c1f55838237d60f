package journal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/internal/journal"
)

// printed is a system whose journalctl prints something.
type printed struct {
	output   io.Reader
	status   int
	says     string
	received *[]string
}

func (p printed) Stream(_ context.Context, args []string, read func(io.Reader) error) (int, string, error) {
	if p.received != nil {
		*p.received = args
	}
	return p.status, p.says, read(p.output)
}

func TestFields(t *testing.T) {
	output := `{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"1700000000000001","MESSAGE":"text","PRIORITY":"6"}
{"MESSAGE":[98,101,108,108,7,255],"PRIORITY":["6","3","x"]}
{"MESSAGE":["one",[116,119,111]],"_PID":null}
{}`
	var got []string
	err := journal.Read(
		t.Context(),
		printed{output: strings.NewReader(output)},
		journal.Query{},
		func(e journal.Entry) bool {
			at := "no time"
			if !e.Time().IsZero() {
				at = fmt.Sprint(e.Time().UnixMicro())
			}
			got = append(
				got,
				fmt.Sprintf("%s %s %q %d %q", at, e.Cursor(), e.Text("MESSAGE"), e.Priority(), e.Text("_PID")),
			)
			return true
		},
	)
	if err != nil {
		t.Error(err)
	}
	want := []string{
		`1700000000000001 c1 "text" 6 ""`, `no time  "bell\a\xff" 3 ""`, `no time  "one\ntwo" 8 ""`, `no time  "" 8 ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// much yields n copies of a line.
type much struct {
	line string
	n    int
	rest string
}

func (m *much) Read(p []byte) (int, error) {
	if m.rest == "" {
		if m.n == 0 {
			return 0, io.EOF
		}
		m.rest, m.n = m.line, m.n-1
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// TestMemory: a hundred megabytes are read to their end in the memory of one entry.
func TestMemory(t *testing.T) {
	line := `{"MESSAGE":"` + strings.Repeat("x", 100_000) + `"}` + "\n"
	system := printed{output: io.MultiReader(&much{line: line, n: 1000}, strings.NewReader(`{"MESSAGE":"last"}`))}
	n, last := 0, ""
	var most, begin runtime.MemStats
	runtime.ReadMemStats(&begin)
	err := journal.Read(t.Context(), system, journal.Query{}, func(e journal.Entry) bool {
		if n++; n%100 == 0 {
			var now runtime.MemStats
			if runtime.ReadMemStats(&now); now.HeapInuse > most.HeapInuse {
				most = now
			}
		}
		last = e.Text("MESSAGE")
		return true
	})
	if err != nil || n != 1001 || last != "last" {
		t.Errorf("%d entries, the last %.20q, %v", n, last, err)
	}
	if used := int64(most.HeapInuse) - int64(begin.HeapInuse); used > 32<<20 {
		t.Errorf("it took %d MiB", used>>20)
	}
}

// TestTooLong: of an entry that is too long it is known that it was there, and what follows is read.
func TestTooLong(t *testing.T) {
	long := io.MultiReader(
		strings.NewReader(`{"MESSAGE":"`),
		&much{line: strings.Repeat("x", 1<<16), n: journal.MaxEntry >> 16},
		strings.NewReader("\"}\n{\"MESSAGE\":\"next\"}\n"),
	)
	var got []string
	err := journal.Read(t.Context(), printed{output: long}, journal.Query{}, func(e journal.Entry) bool {
		got = append(got, fmt.Sprint(e.TooLong, e.Text("MESSAGE")))
		return true
	})
	if diff := cmp.Diff([]string{"true", "falsenext"}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestEnds(t *testing.T) {
	one := "{\"MESSAGE\":\"a\"}\n"
	for name, x := range map[string]struct {
		system printed
		want   string // in the error
		none   bool
	}{
		"well": {system: printed{output: strings.NewReader(one)}},
		"no journal": {
			system: printed{output: strings.NewReader(""), status: 66}, want: "no journal",
			none: true,
		},
		"no such unit": {system: printed{
			output: strings.NewReader(""), status: 1,
			says: "Failed to add filter for units: No data available",
		}},
		"another failure": {
			system: printed{output: strings.NewReader(one), status: 7, says: "broken\n"},
			want:   "exit status 7: broken",
		},
		"half an entry": {system: printed{output: strings.NewReader(`{"MESSAGE":"a`)}, want: "unexpected end"},
		"something else": {
			system: printed{output: strings.NewReader("-- no entries --\n")},
			want:   "invalid character",
		},
		"a failure to read": {
			system: printed{output: io.MultiReader(strings.NewReader(one), failing{})},
			want:   "the pipe broke",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := journal.Read(t.Context(), x.system, journal.Query{}, func(journal.Entry) bool { return true })
			if errors.Is(err, journal.ErrNone) != x.none || (err != nil) != (x.want != "") ||
				err != nil && !strings.Contains(err.Error(), x.want) {
				t.Errorf("got %v, want %q", err, x.want)
			}
		})
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the pipe broke") }

// TestStops: whoever has seen enough gets no more, and it is no error that journalctl could not print the rest.
func TestStops(t *testing.T) {
	system := printed{output: strings.NewReader("{}\n{}\nnot read any more"), status: 141, says: "Broken pipe"}
	n := 0
	err := journal.Read(t.Context(), system, journal.Query{}, func(journal.Entry) bool { n++; return n < 2 })
	if n != 2 || err != nil {
		t.Errorf("%d entries, %v", n, err)
	}
}

func TestArguments(t *testing.T) {
	for name, x := range map[string]struct {
		query journal.Query
		want  string
	}{
		"all": {
			journal.Query{Fields: []string{"MESSAGE"}},
			"journalctl --all --no-pager --quiet --output=json --output-fields=MESSAGE",
		},
		"short": {
			journal.Query{Short: true, Fields: []string{"MESSAGE"}},
			"journalctl --no-pager --quiet --output=json --output-fields=MESSAGE",
		},
		"last": {
			journal.Query{
				Since: time.UnixMilli(1700000000900), Last: 5, Fields: []string{"MESSAGE", "_PID"},
				Match: []string{"_PID=1"},
			},
			"journalctl --all --no-pager --quiet --output=json --output-fields=MESSAGE,_PID --since=@1700000000 " +
				"--reverse --lines=5 _PID=1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var args []string
			if err := journal.Read(t.Context(), printed{output: strings.NewReader(""), received: &args}, x.query,
				nil); err != nil {
				t.Error(err)
			}
			if got := strings.Join(args, " "); got != x.want {
				t.Errorf("got %s, want %s", got, x.want)
			}
		})
	}
}

// TestMachine: a command is read while it runs, and killed when nobody reads any more.
func TestMachine(t *testing.T) {
	all := func(r io.Reader) error { _, err := io.ReadAll(r); return err }
	broken := errors.New("broken")
	for name, x := range map[string]struct {
		script string
		read   func(io.Reader) error
		status int
		says   string
		err    error
	}{
		"ends well": {"echo out", all, 0, "", nil},
		"fails":     {"echo no >&2; exit 7", all, 7, "no\n", nil},
		"never ends": {
			"exec yes", func(r io.Reader) error { _, err := r.Read(make([]byte, 10)); return err }, 0,
			"", nil,
		},
		"cannot be read": {"exec yes", func(io.Reader) error { return broken }, 0, "", broken},
	} {
		t.Run(name, func(t *testing.T) {
			status, says, err := journal.Machine{}.Stream(t.Context(), []string{"/bin/sh", "-c", x.script}, x.read)
			if status != x.status || says != x.says || !errors.Is(err, x.err) {
				t.Errorf("status %d, %q, %v", status, says, err)
			}
		})
	}
	if _, _, err := (journal.Machine{}).Stream(t.Context(), []string{"/nonexistent"}, all); err == nil {
		t.Error("there is no such program, and no error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := (journal.Machine{}).Stream(ctx, []string{"sleep", "60"}, all); err == nil {
		t.Error("it was interrupted, and there is no error")
	}
}
