package trial

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/clone"
	"temper/harness/observe"
	"temper/harness/witness"
	"temper/internal/systemd"
	"temper/internal/verdict"
)

// TestUnwitnessed: the stored log says how many refusals the witness has lost.
func TestUnwitnessed(t *testing.T) {
	seen := Result{Refused: witness.Record{Denials: []witness.Denial{{}}}}
	lost := seen
	lost.Refused.Dropped = 7
	if got := seen.Unwitnessed(); got != nil {
		t.Errorf("nothing was lost, but %v", got)
	}
	want := append(seen.Record(1).Refused, "7 more system calls failed, too fast for the witness to tell which")
	if diff := cmp.Diff(want, lost.Record(1).Refused); diff != "" {
		t.Error(diff)
	}
}

// TestCompare: a hardened launch that differs fails, and passes after another launch without hardening has shown the
// same. A launch that has failed otherwise is not compared, nor is a baseline.
func TestCompare(t *testing.T) {
	launch := func(messages ...string) observe.Launch {
		l := observe.NewLaunch()
		for _, m := range messages {
			l.AddLine(m, true)
		}
		return l
	}
	quiet, loud := observe.Baselines{launch()}, observe.Baselines{launch(), launch("denied")}
	hardened := Result{Dropin: "[Service]\n", OK: true, Seen: launch("denied")}
	differs := hardened.Compare(quiet)
	if differs.OK || !differs.OnlyDiffers() || !differs.OnlyLogsDiffer() || !hardened.OK || hardened.Failures != nil {
		t.Errorf("an error that no baseline logs: %+v of %+v", differs, hardened)
	}
	if again := differs.Compare(loud); !again.OK || again.OnlyDiffers() || len(again.Failures) > 0 {
		t.Errorf("an error that a baseline logs: %+v", again)
	}
	restarted := hardened
	restarted.Seen = launch("denied")
	restarted.Seen.AddEnds(systemd.Service{Restarts: 2})
	if restarted = restarted.Compare(quiet); !restarted.OnlyDiffers() || restarted.OnlyLogsDiffer() {
		t.Errorf("more than the log differs: %+v", restarted)
	}
	failed := hardened
	failed.OK, failed.Failures = false, []verdict.Evidence{{Kind: "exit", Text: "status 1"}}
	if got := failed.Compare(quiet); got.OK || got.OnlyDiffers() || len(got.Failures) != 1 {
		t.Errorf("one that failed otherwise: %+v", got)
	}
	baseline := Result{OK: true, Seen: launch("denied")}
	if got := baseline.Compare(quiet); !got.OK {
		t.Errorf("a baseline: %+v", got)
	}
}

// TestEvidence: the evidence has the first three failures and the last line of the log.
func TestEvidence(t *testing.T) {
	r := Result{Log: []string{"first", "last"}}
	for _, text := range []string{"a", "b", "c", "d"} {
		r.Failures = append(r.Failures, verdict.Evidence{Kind: "check", Text: text})
	}
	var got []string
	for _, e := range r.Evidence() {
		got = append(got, e.Text)
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "last"}, got); diff != "" {
		t.Error(diff)
	}
	r.rename([]clone.Renaming{{Clone: "last", Unit: "service"}})
	if !slices.Equal(r.Log, []string{"first", "service"}) {
		t.Errorf("the log of a service by its own name: %q", r.Log)
	}
}

// TestDifferencesAreShared: of a difference in what a service logs or answers, the quote is left out of what is shared.
func TestDifferencesAreShared(t *testing.T) {
	const secret = "hunter2"
	launch := func(answer string) observe.Launch {
		l := observe.NewLaunch()
		l.Answers = map[string]observe.Facts{"tcp 0.0.0.0:80": {"the answer": answer}}
		return l
	}
	hardened := launch("no: " + secret + "\nagain " + secret)
	hardened.AddLine("denied: "+secret, true)
	hardened.AddLine("hello\n"+secret, false)
	r := Result{Dropin: "[Service]\n", OK: true, Seen: hardened}.Compare(observe.Baselines{launch("yes: " + secret)})
	v := verdict.Verdict{
		Advisories: r.Warnings, Demotions: []verdict.Demotion{{Directive: "A", Evidence: r.Failures}},
	}.Shared()
	texts := func(list []verdict.Evidence) (all []string) {
		for _, e := range list {
			all = append(all, e.Text)
		}
		return all
	}
	want := [][]string{
		{
			"tcp 0.0.0.0:80 answers a client, asked for the answer",
			"logs an error that it does not log without hardening",
		},
		{"logs what it does not log without hardening"},
	}
	if diff := cmp.Diff(want, [][]string{texts(v.Demotions[0].Evidence), texts(v.Advisories)}); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
