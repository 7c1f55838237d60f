package guard

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/internal/journal"
	"temper/internal/verdict"
)

// line is an entry as journalctl --output=json prints it; rest are more fields.
func line(second float64, invocation, id, message, rest string) string {
	text, _ := json.Marshal(message) // any string has a JSON form
	return fmt.Sprintf(`{"__REALTIME_TIMESTAMP":"%d","INVOCATION_ID":%q,"MESSAGE_ID":%q,"MESSAGE":%s%s}`,
		int64(second*1e6), invocation, id, text, rest)
}

// newestFirst parses lines and reverses them.
func newestFirst(t *testing.T, lines ...string) []entry {
	t.Helper()
	var text strings.Builder
	for i := range lines {
		text.WriteString(lines[len(lines)-1-i] + "\n")
	}
	var entries []entry
	for e, err := range journal.Entries(strings.NewReader(text.String())) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, newEntry(e))
	}
	return entries
}

func TestReadRuns(t *testing.T) {
	exited := func(second float64, id, code, status string) string {
		return line(second, id, messageExit, "Main process exited",
			fmt.Sprintf(`,"EXIT_CODE":%q,"EXIT_STATUS":%q`, code, status))
	}
	const now = 100
	for _, test := range []struct {
		name  string
		lines []string
		want  []run // without ids and times
	}{
		{"nothing", nil, nil},
		{
			"runs on",
			[]string{line(1, "a", messageStarting, "", ""), line(2, "a", messageStarted, "", "")},
			[]run{{started: true, lasted: 98 * time.Second}},
		},
		{
			"failed before it had started",
			[]string{
				line(1, "a", messageStarting, "", ""), exited(1.5, "a", "exited", "226"),
				line(1.5, "a", messageResult, "Failed\x1b[31m.", ""), line(1.5, "a", messageFailed, "", ""),
			},
			[]run{{
				ended: true, failed: true, lasted: 500 * time.Millisecond, exits: []exit{{"exited", "226"}},
				message: `Failed\x1b[31m.`,
			}},
		},
		{
			"stopped after a reload that failed",
			[]string{
				line(1, "a", messageStarted, "", ""), line(61, "a", messageStopping, "", ""),
				line(62, "a", messageSuccess, "", ""),
			},
			[]run{{started: true, ended: true, lasted: time.Minute}},
		},
		{
			"a good run, and a crash after the restart of which systemd 252 tells nobody",
			[]string{
				line(1, "a", messageStarted, "", ""), exited(31, "a", "killed", "11/SEGV"),
				line(32, "b", messageStarted, "", ""), exited(32.1, "b", "killed", "11/SEGV"),
				line(32.2, "b", messageResult, "", ""),
			},
			[]run{
				{
					started: true, ended: true, failed: true, lasted: 100 * time.Millisecond,
					exits: []exit{{"killed", "11/SEGV"}},
				},
				{started: true, ended: true, lasted: 30 * time.Second, exits: []exit{{"killed", "11/SEGV"}}},
			},
		},
		{"of no run", []string{line(1, "", messageStarted, "", "")}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := readRuns(newestFirst(t, test.lines...), time.Unix(now, 0))
			for i := range got {
				got[i].id, got[i].begin = "", time.Time{}
			}
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(run{}, exit{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProgramMayHaveRun(t *testing.T) {
	for _, test := range []struct {
		exits []exit
		want  bool
	}{
		{nil, true}, // it may still run
		{[]exit{{"exited", "226"}}, false},
		{[]exit{{"exited", "228"}}, false},
		{[]exit{{"exited", "1"}}, true},
		{[]exit{{"exited", "203"}}, true}, // that is about the program, not about the sandbox
		{[]exit{{"killed", "226"}}, true},
		{[]exit{{"exited", "226"}, {"exited", "0"}}, true},
		{[]exit{{"exited", "x"}}, true},
	} {
		if got := (run{exits: test.exits}).programMayHaveRun(); got != test.want {
			t.Errorf("%v: got %t, want %t", test.exits, got, test.want)
		}
	}
}

// TestEvidence: the log of a service becomes evidence, without the characters that control a terminal.
func TestEvidence(t *testing.T) {
	r := run{exits: []exit{{"exited", "1"}}}
	got := r.evidence([]entry{{message: "last\x1b[2J"}, {message: ""}, {message: "first"}})
	want := []verdict.Evidence{
		{Kind: "exit", Text: "exited 1"},
		{Kind: "log", Text: "first"},
		{Kind: "log", Text: `last\x1b[2J`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
