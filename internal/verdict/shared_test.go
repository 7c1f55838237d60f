package verdict_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/verdict"
)

// TestPutShared: what is shipped says which directives were given up and by what, and has no word of the service.
func TestPutShared(t *testing.T) {
	const secret = "hunter2"
	v := verdict.Verdict{
		Unit: "a.service", Result: verdict.Proven, Dropin: "[Service]\n", Reason: "it fails: " + secret,
		Demotions: []verdict.Demotion{{
			Directive: "PrivateTmp", Reason: "the service does not work with it",
			Evidence: []verdict.Evidence{
				{Kind: "log", Text: "password " + secret},
				{Kind: "refused", Text: `a: openat("/tmp/x"): EACCES`},
			},
		}},
		Advisories: []verdict.Evidence{
			{Kind: "check", Text: "answers (http, running): got " + secret},
			{Kind: "baseline", Text: "running: does not run worker, as it does without hardening"},
			{Kind: "baseline", Text: "logs an error that it does not log without hardening: denied: " + secret},
			{Kind: "baseline", Text: "logs what it does not log without hardening: denied:\n" + secret},
			{Kind: "baseline", Text: "tcp *:80 answers a client, asked for the answer: " + secret + "\n" + secret +
				"; without hardening: " + secret},
			{Kind: "unseen", Text: "that UMask= holds was not seen: a process sets its own"},
		},
	}
	store := verdict.Store{Dirs: []string{filepath.Join(t.TempDir(), "verdicts")}}
	if err := store.PutShared(v); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(store.Dirs[0], "a.service.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(data), secret) {
		t.Errorf("the secret is shipped:\n%s", data)
	}
	if dir, mode := mode(t, store.Dirs[0]), mode(t, file); dir != 0o755 || mode != 0o644 {
		t.Errorf("others cannot read it: %o and %o", dir, mode)
	}
	var got verdict.Verdict
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := v
	want.Reason = ""
	want.Demotions = []verdict.Demotion{v.Demotions[0]}
	want.Demotions[0].Evidence = v.Demotions[0].Evidence[1:]
	want.Advisories = []verdict.Evidence{
		{Kind: "check", Text: "answers (http, running)"},
		v.Advisories[1],
		{Kind: "baseline", Text: "logs an error that it does not log without hardening"},
		{Kind: "baseline", Text: "logs what it does not log without hardening"},
		{Kind: "baseline", Text: "tcp *:80 answers a client, asked for the answer"},
		v.Advisories[5],
	}
	if diff := cmp.Diff(want.Demotions, got.Demotions); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Advisories, got.Advisories); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(v.Demotions[0].Evidence) != 2 {
		t.Error("the verdict itself was changed")
	}
}
