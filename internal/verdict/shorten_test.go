package verdict_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"temper/internal/verdict"
)

// TestPutFits: whatever a service has said, what is stored can be read again, and says where it was cut.
func TestPutFits(t *testing.T) {
	said := strings.Repeat("é\x01", 6<<10) // a control character takes six bytes
	v := verdict.Verdict{Unit: "a.service", Result: verdict.Proven, Reason: said, Dropin: "[Service]\n"}
	for i := range 25 {
		v.Demotions = append(v.Demotions, verdict.Demotion{
			Directive: fmt.Sprint("D", i),
			Evidence: slices.Repeat([]verdict.Evidence{
				{Kind: "log", Text: said}, {Kind: "exit", Text: "status 1"},
			}, 4),
		})
	}
	v.Advisories = slices.Repeat([]verdict.Evidence{{Kind: "log", Text: said}}, 20)
	v.Use = &verdict.Use{Checks: []verdict.Check{{Name: "answers", Reason: said}}}
	v.LastAttempt = &verdict.Attempt{Result: verdict.Flaky, Reason: said}
	var trials []verdict.Trial
	for i := range 30 {
		trials = append(trials, verdict.Trial{
			Number: i, Failures: v.Advisories[:1], Log: append(slices.Repeat([]string{said}, 20), "the last line"),
		})
	}
	store := verdict.Store{Dirs: []string{t.TempDir()}}
	if err := store.PutProof(v, trials); err != nil {
		t.Fatal(err)
	}
	got, err := store.Get("a.service")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Demotions) != 25 || got.Dropin != v.Dropin || got.Demotions[24].Evidence[1].Text != "status 1" ||
		!strings.HasSuffix(got.Demotions[0].Evidence[0].Text, " (cut)") {
		t.Errorf("%d demotions, %.200q", len(got.Demotions), got.Demotions[0].Evidence)
	}
	logs, err := store.Trials("a.service")
	if err != nil {
		t.Fatal(err)
	}
	if len(logs) != 30 || logs[29].Log[len(logs[29].Log)-1] != "the last line" ||
		!strings.HasSuffix(logs[0].Log[1], " (cut)") {
		t.Errorf("%d trials, the last ends with %q", len(logs), logs[29].Log)
	}
	if v.Demotions[0].Evidence[0].Text != said || trials[0].Log[0] != said {
		t.Error("what was given was changed")
	}
}

// TestPutRefuses: what cannot be shortened is not stored, and what was there stays.
func TestPutRefuses(t *testing.T) {
	store := verdict.Store{Dirs: []string{t.TempDir()}}
	small := verdict.Verdict{Unit: "a.service", Result: verdict.Proven, Dropin: "[Service]\n"}
	if err := store.PutProof(small, nil); err != nil {
		t.Fatal(err)
	}
	large := small
	large.Dropin = strings.Repeat("x", 1<<20)
	if err := store.Put(large); err == nil || !strings.Contains(err.Error(), "want at most 1048576") {
		t.Errorf("a large verdict: %v", err)
	}
	if err := store.PutTrials("a.service", []verdict.Trial{{Dropin: strings.Repeat("x", 4<<20)}}); err == nil {
		t.Error("large trials are stored")
	}
	if got, err := store.Get("a.service"); err != nil || got.Dropin != small.Dropin {
		t.Errorf("%q, %v", got.Dropin, err)
	}
	if _, err := store.Trials("a.service"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
