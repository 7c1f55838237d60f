package journal_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/journal"
)

// FuzzEntries holds that output of any kind is read to its end or to an error, and that a message of any bytes is read
// as it was logged, in each of the forms in which journalctl shows one, whatever stands around it.
func FuzzEntries(f *testing.F) {
	f.Add(`{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"17","PRIORITY":["6","3","x"]}`+"\n", "a message")
	f.Add(`{"MESSAGE":[98,300,-1]}`+"\n{}\n", "\xff\x00\n")
	f.Add("-- no entries --\n", "")
	f.Add(`{"MESSAGE":[[["a"]],null,{}]}`, "\"\\")
	f.Fuzz(func(t *testing.T, before, message string) {
		ended := false
		for e, err := range journal.Entries(strings.NewReader(before)) {
			if ended {
				t.Fatal("it goes on after an error")
			}
			ended = err != nil
			_, _, _, _ = e.Cursor(), e.Time(), e.Priority(), e.Texts("MESSAGE")
		}
		octets := []int{}
		for _, b := range []byte(message) {
			octets = append(octets, int(b))
		}
		value := any(octets)
		if message == strings.ToValidUTF8(message, "x") {
			value = message
		}
		line, err := json.Marshal(map[string]any{"MESSAGE": value, "OTHER": []any{value, octets}})
		if err != nil {
			t.Fatal(err)
		}
		if !ended && strings.HasSuffix("\n"+before, "\n") {
			line = slices.Concat([]byte(before), line)
		}
		var last journal.Entry
		for e, err := range journal.Entries(strings.NewReader(string(line))) {
			if err != nil {
				t.Fatal(err)
			}
			last = e
		}
		if message == "" { // an array of no bytes is one of no values
			return
		}
		want := [][]string{{message}, {message, message}}
		if diff := cmp.Diff(want, [][]string{last.Texts("MESSAGE"), last.Texts("OTHER")}); diff != "" {
			t.Error(diff)
		}
	})
}
