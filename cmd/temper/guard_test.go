package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/internal/verdict"
)

// entry is a line of journalctl --output=json; rest are more fields.
func entry(second float64, pid int, id, message, rest string) string {
	text, _ := json.Marshal(message) // any string has a JSON form
	return fmt.Sprintf(`{"__REALTIME_TIMESTAMP":"%d","_PID":"%d","MESSAGE_ID":%q,"MESSAGE":%s%s}`,
		int64(second*1e6), pid, id, text, rest)
}

func TestReadRun(t *testing.T) {
	starting := entry(1, 1, messageStarting, "Starting web.service", "")
	exit := entry(1.2, 1, messageExit, "Control process exited", `,"EXIT_CODE":"exited","EXIT_STATUS":"226"`)
	result := entry(1.2, 1, messageResult, "web.service: Failed with result 'exit-code'.", "")
	for _, test := range []struct {
		name            string
		log             []string
		failed, started bool
		lasted          time.Duration
		ended           string
		evidence        []verdict.Evidence
	}{
		{"nothing", nil, false, false, 0, "", nil},
		{"runs on", []string{starting, entry(1.1, 1, messageStarted, "Started", "")}, false, true, 0, "", nil},
		{
			"failed before it had started",
			[]string{starting, entry(1.1, 50, "", "open: \x1b[31mdenied", ""), exit, result},
			true, false, 200 * time.Millisecond, "status exited 226",
			[]verdict.Evidence{{Kind: "exit", Text: "exited 226"}, {Kind: "log", Text: "open:  [31mdenied"}},
		},
		{
			"failed later",
			[]string{starting, entry(2, 1, messageStarted, "Started", ""), entry(62, 1, messageResult, "web.service: Failed with result 'signal'.", "")},
			true, true, time.Minute, "web.service: Failed with result 'signal'.", nil,
		},
		{
			"what the service says decides nothing",
			[]string{starting, entry(2, 1, messageStarted, "Started", ""), entry(3, 50, messageResult, "Failed", "")},
			false, true, 0, "",
			[]verdict.Evidence{{Kind: "log", Text: "Failed"}},
		},
		{
			"what is no text is no evidence",
			[]string{starting, `{"__REALTIME_TIMESTAMP":"1","_PID":"50","MESSAGE":[104,105]}`},
			false, false, 0, "", nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := readRun([]byte(strings.Join(test.log, "\n")))
			if err != nil {
				t.Fatal(err)
			}
			if test.evidence == nil {
				test.evidence = []verdict.Evidence{}
			}
			got := []any{r.failed, r.started, r.lasted, r.ended, r.evidence}
			want := []any{test.failed, test.started, test.lasted, test.ended, test.evidence}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
