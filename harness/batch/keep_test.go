package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"temper/internal/host"
	"temper/internal/quote"
	"temper/internal/ready"
	"temper/internal/verdict"
	"temper/profiles"
)

// warnings is a report that keeps only warnings.
type warnings struct{ said *bytes.Buffer }

func (warnings) Step(string, string)    {}
func (warnings) Result(verdict.Verdict) {}
func (warnings) Done(string)            {}
func (w warnings) Warn(err error)       { fmt.Fprintln(w.said, err) }

// TestNoRegress: of a result that is weaker than the stored one, the batch stores only the trials and warns; any other
// result replaces the stored one.
func TestNoRegress(t *testing.T) {
	proven := func(after float64, demotions int) verdict.Verdict {
		return verdict.Verdict{
			Unit:      "web.service",
			Result:    verdict.Proven,
			Exposure:  verdict.Exposure{After: after},
			Demotions: make([]verdict.Demotion, demotions),
		}
	}
	for _, tc := range []struct {
		name     string
		old, new verdict.Verdict
		says     string
	}{
		{"the same", proven(2.1, 1), proven(2.1, 1), ""},
		{"better", proven(2.1, 1), proven(1.9, 0), ""},
		{"more exposed", proven(2.1, 1), proven(2.4, 1), "exposure 2.4, was 2.1"},
		{"more demotions", proven(2.1, 1), proven(2.1, 2), "demotions are 2, were 1"},
		{
			"not proven any more", proven(2.1, 1),
			verdict.Verdict{Unit: "web.service", Result: verdict.Flaky},
			"flaky, was proven",
		},
		{
			"never proven",
			verdict.Verdict{Unit: "web.service", Result: verdict.Flaky},
			verdict.Verdict{Unit: "web.service", Result: verdict.BrokenBaseline},
			"",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var said bytes.Buffer
			b := &batch{
				Options: Options{
					NoRegress: true,
					Store:     verdict.Store{Dirs: []string{t.TempDir()}},
					Report:    warnings{&said},
				},
			}
			if err := b.Store.PutProof(tc.old, nil); err != nil {
				t.Fatal(err)
			}
			code, err := b.keep(tc.new, []verdict.Trial{{Number: 7}})
			if err != nil {
				t.Fatal(err)
			}
			want, kept := tc.old, tc.says != ""
			if kept {
				tc.says = "web.service: " + tc.says + ": the stored verdict is kept, beside the trials of this proof\n"
			} else {
				want = tc.new
			}
			if said.String() != tc.says || (code == Findings) != kept {
				t.Errorf("ended with %d and said %q, want %q", code, said.String(), tc.says)
			}
			v, err := b.Store.Get("web.service")
			if err != nil || v.Result != want.Result || v.Exposure.After != want.Exposure.After ||
				len(v.Demotions) != len(want.Demotions) {
				t.Errorf("kept %+v, %v", v, err)
			}
			if trials, err := b.Store.Trials("web.service"); err != nil || len(trials) != 1 || trials[0].Number != 7 {
				t.Errorf("kept the trials %+v, %v", trials, err)
			}
		})
	}
}

// TestNoLogs: the stored verdict contains no output of the service, and there is no log of the trials.
func TestNoLogs(t *testing.T) {
	said := verdict.Evidence{Kind: "log", Text: "the password is hunter2"}
	v := verdict.Verdict{Unit: "web.service", Result: verdict.Proven, Advisories: []verdict.Evidence{said}}
	for _, result := range []string{verdict.Proven, verdict.Inconclusive} {
		dir := t.TempDir()
		b := &batch{Options: Options{NoLogs: true, Store: verdict.Store{Dirs: []string{dir}}}}
		v.Result = result
		if _, err := b.keep(v, []verdict.Trial{{Log: []string{said.Text}}}); err != nil {
			t.Fatal(err)
		}
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			if bytes.Contains(data, []byte("hunter2")) {
				t.Errorf("%s: %s has a word of the service:\n%s", result, name, data)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestToldWithoutLogs: why a proof could not be made is told without what a program said, where nobody may read that.
func TestToldWithoutLogs(t *testing.T) {
	err := fmt.Errorf("web.service: %w", quote.With(errors.New("setup: exit status 1"), ": the password is hunter2"))
	for noLogs, want := range map[bool]string{
		true: "web.service: setup: exit status 1", false: "web.service: setup: exit status 1: the password is hunter2",
	} {
		b := &batch{Options: Options{NoLogs: noLogs}}
		if got := b.told(err); got.Error() != want || !errors.Is(got, err) {
			t.Errorf("no logs: %t: %q", noLogs, got)
		}
	}
}

// TestProvenStays: an attempt that proves nothing is kept beside what was proven or seen to break on this machine, and
// in its place otherwise.
func TestProvenStays(t *testing.T) {
	of := func(result, unit string) verdict.Verdict {
		return verdict.Verdict{
			Unit: "web.service", Result: result, Reason: "of " + unit,
			Fingerprint: verdict.Fingerprint{Profile: "p", Unit: unit, Systemd: 257},
		}
	}
	shipped := func(unit string) verdict.Verdict {
		v := of(verdict.Proven, unit)
		v.Fingerprint.Systemd = 0
		return v
	}
	for _, tc := range []struct {
		name       string
		own        verdict.Verdict // none without a unit
		shipped    verdict.Verdict // likewise
		now        verdict.Verdict
		onlyProven bool
		result     string // that counts
		attempt    string // that is kept beside it
	}{
		{
			name: "of another unit, as it was proven", own: of(verdict.Proven, "old"), now: of(verdict.Flaky, "new"),
			result: verdict.Proven, attempt: verdict.Flaky,
		},
		{
			name: "seen to break", own: of(verdict.Broken, "old"), now: of(verdict.BrokenBaseline, "new"),
			result: verdict.Broken, attempt: verdict.BrokenBaseline,
		},
		{
			name: "revoked", own: of(verdict.Revoked, ""), now: of(verdict.BrokenBaseline, "new"),
			result: verdict.Revoked, attempt: verdict.BrokenBaseline,
		},
		{name: "revoked before", own: of(verdict.Revoked, ""), now: of(verdict.Proven, "new"), result: verdict.Proven},
		{
			name: "inconclusive before", own: of(verdict.Inconclusive, "old"), now: of(verdict.BrokenBaseline, "new"),
			result: verdict.BrokenBaseline,
		},
		{name: "nothing before", now: of(verdict.Inconclusive, "new"), result: verdict.Inconclusive},
		{name: "nothing before, for the guard", now: of(verdict.Inconclusive, "new"), onlyProven: true},
		{
			name: "for the guard", onlyProven: true,
			own: of(verdict.Proven, "old"), now: of(verdict.Inconclusive, "new"),
			result: verdict.Proven, attempt: verdict.Inconclusive,
		},
		{
			name: "shipped for this unit", shipped: shipped("new"), now: of(verdict.BrokenBaseline, "new"),
			result: verdict.Proven, attempt: verdict.BrokenBaseline,
		},
		{
			name: "shipped for another", shipped: shipped("old"), now: of(verdict.BrokenBaseline, "new"),
			result: verdict.BrokenBaseline,
		},
		{
			name: "started does not replace proven", own: of(verdict.Proven, "old"), now: of(verdict.Started, "new"),
			result: verdict.Proven, attempt: verdict.Started,
		},
		{
			name: "nor what was seen to break", own: of(verdict.Broken, "old"), now: of(verdict.Started, "new"),
			result: verdict.Broken, attempt: verdict.Started,
		},
		{
			name: "started, for the guard", now: of(verdict.Started, "new"), onlyProven: true, result: verdict.Started,
		},
		{
			name: "started replaces flaky", own: of(verdict.Flaky, "old"), now: of(verdict.Started, "new"),
			result: verdict.Started,
		},
		{
			name: "proven replaces started", own: of(verdict.Started, "old"), now: of(verdict.Proven, "new"),
			result: verdict.Proven,
		},
		{
			name: "proven with an attempt beside it", now: of(verdict.Proven, "new"), result: verdict.Proven,
			own: verdict.Verdict{
				Unit: "web.service", Result: verdict.Proven, LastAttempt: &verdict.Attempt{Result: verdict.Flaky},
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := &batch{Options: Options{
				OnlyProven: tc.onlyProven,
				Store:      verdict.Store{Dirs: []string{t.TempDir(), t.TempDir()}},
				Report:     warnings{&bytes.Buffer{}},
			}}
			for i, v := range []verdict.Verdict{tc.own, tc.shipped} {
				if v.Unit == "" {
					continue
				}
				store := verdict.Store{Dirs: b.Store.Dirs[i:]}
				if err := store.PutProof(v, nil); err != nil {
					t.Fatal(err)
				}
			}
			outcome, err := b.keep(tc.now, []verdict.Trial{{Number: 7}})
			if err != nil || (outcome == Clean) != (tc.now.Result == verdict.Proven) {
				t.Errorf("ended with %d, %v", outcome, err)
			}
			v, err := b.Store.Own().Get("web.service")
			if (err == nil) != (tc.result != "") || v.Result != tc.result {
				t.Errorf("stored is %q, %v, want %q", v.Result, err, tc.result)
			}
			attempt := ""
			if v.LastAttempt != nil {
				attempt = v.LastAttempt.Result
			}
			if attempt != tc.attempt || attempt != "" && !v.Attempted(tc.now.Fingerprint) {
				t.Errorf("the attempt is %q, want %q", attempt, tc.attempt)
			}
		})
	}
}

// TestDamagedStays: an attempt that proves nothing does not replace a verdict that cannot be read, as long as the unit
// is hardened by it.
func TestDamagedStays(t *testing.T) {
	for _, tc := range []struct {
		applied, now, want string
	}{
		{"web.service", verdict.Inconclusive, ""},
		{"web.service", verdict.Started, ""},
		{"web.service", verdict.Broken, ""},
		{"web.service", verdict.Proven, verdict.Proven},
		{"other.service", verdict.Inconclusive, verdict.Inconclusive},
	} {
		root := host.At(t.TempDir())
		b := &batch{Options: Options{Store: verdict.Store{Root: root}, Report: warnings{&bytes.Buffer{}}}}
		record := ready.Record{Dropins: []ready.Dropin{{Unit: tc.applied, Text: []byte("[Service]\n")}}}
		err := errors.Join(root.MkdirAll(path.Dir(ready.Path), 0o755),
			root.WriteFile(ready.Path, record.Bytes(), 0o644),
			root.WriteFile(verdict.Dirs[0]+"/web.service.json", []byte("{"), 0o644))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.keep(verdict.Verdict{Unit: "web.service", Result: tc.now}, nil); err != nil {
			t.Fatal(err)
		}
		if v, err := b.Store.Get("web.service"); v.Result != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%+v: stored is %q, %v", tc, v.Result, err)
		}
	}
}

// TestOutcomes: a unit that is only started is a finding unless somebody has said that it is enough, and a check that
// did not run is one with --strict.
func TestOutcomes(t *testing.T) {
	unchecked := &verdict.Use{Checks: []verdict.Check{{Name: "page", Result: verdict.NotRun}}}
	for name, tc := range map[string]struct {
		result  string
		use     *verdict.Use
		apply   []string
		strict  bool
		outcome Outcome
	}{
		"proven":                       {result: verdict.Proven, outcome: Clean},
		"started":                      {result: verdict.Started, outcome: Findings},
		"started, which is enough":     {result: verdict.Started, apply: []string{"started"}, outcome: Clean},
		"flaky":                        {result: verdict.Flaky, outcome: Undecided},
		"not all checks ran":           {result: verdict.Proven, use: unchecked, outcome: Clean},
		"not all checks ran, strictly": {result: verdict.Proven, use: unchecked, strict: true, outcome: Findings},
	} {
		t.Run(name, func(t *testing.T) {
			b := &batch{Options: Options{
				Root: host.At(t.TempDir()), Store: verdict.Store{Dirs: []string{t.TempDir()}},
				Strict: tc.strict, Profile: &profiles.Profile{Name: "p", Apply: tc.apply},
			}}
			outcome, err := b.keep(verdict.Verdict{Unit: "web.service", Result: tc.result, Use: tc.use}, nil)
			if err != nil || outcome != tc.outcome {
				t.Errorf("%d, %v, want %d", outcome, err, tc.outcome)
			}
		})
	}
}
