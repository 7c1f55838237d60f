package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"temper/export"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/report"
	"temper/survey/results"
)

// secret stands for what a service logs or answers.
const secret = "SECRET-LOG-LINE"

// talkative is a verdict that has the secret wherever a verdict can quote a service.
func talkative(unit, result string) verdict.Verdict {
	quoting := []verdict.Evidence{
		{Kind: "log", Text: secret},
		{Kind: "check", Text: "answers (http, running): " + secret},
		{Kind: "check", Text: "answers (http, running): " + secret + ", but it ran without hardening"},
		{Kind: "baseline", Text: "logs an error that it does not log without hardening: " + secret},
		{Kind: "baseline", Text: "logs what it does not log without hardening: " + secret},
		{Kind: "baseline", Text: "x answers a client, asked for y: " + secret + "; without hardening: " + secret},
		{Kind: "refused", Text: "web: unshare(): EPERM"},
	}
	return verdict.Verdict{
		Unit: unit, Profile: "web", Result: result, Reason: "baseline: " + secret, Place: "container", Systemd: 257,
		Applied: []verdict.Applied{{Directive: "PrivateTmp", Value: "yes"}}, LeftOut: []verdict.LeftOut{},
		Demotions: []verdict.Demotion{{
			Directive: "ProtectHome", From: "yes", To: verdict.Off, Reason: "the service does not work with it",
			Evidence: quoting,
		}},
		Advisories: quoting, Dropin: "[Service]\nPrivateTmp=yes\n",
		Use: &verdict.Use{
			Checks: []verdict.Check{
				{Name: "answers", Kind: "http", Result: verdict.SetAside, Reason: secret},
				{Name: "resolves", Kind: "exec", Result: verdict.Failed, Reason: secret},
			},
			Phases: []string{"running"}, Work: []string{}, Grants: []verdict.Grant{},
		},
		LastAttempt: &verdict.Attempt{Result: verdict.Flaky, Reason: secret},
	}
}

// newRoot makes a root with web.service, and returns the digest of the unit.
func newRoot(t *testing.T, root string) string {
	t.Helper()
	units := filepath.Join(root, "usr/lib/systemd/system")
	if err := os.MkdirAll(units, 0o755); err != nil {
		t.Fatal(err)
	}
	text := []byte("[Service]\nExecStart=/x\n")
	if err := os.WriteFile(filepath.Join(units, "web.service"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := (&unit.Loader{Root: host.At(root)}).Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	return verdict.Digest(u)
}

// TestOutputsShareNoLogs: nothing that leaves the machine has a line of a log or an answer of a service, in any form,
// unless it is asked for.
func TestOutputsShareNoLogs(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	digest := newRoot(t, root)
	state, kept := filepath.Join(dir, "alpha"), filepath.Join(dir, "results")
	store := verdict.Store{Dirs: []string{state}}
	for name, result := range map[string]string{
		"web.service": verdict.Proven, "broken.service": verdict.BrokenBaseline, "flaky.service": verdict.Flaky,
		"bad.service": verdict.Broken, "odd.service": verdict.Inconclusive, "started.service": verdict.Started,
	} {
		v := talkative(name, result)
		v.Fingerprint.Unit = digest
		if err := store.Put(v); err != nil {
			t.Fatal(err)
		}
		if err := results.Dir(kept).PutUnit(results.Unit{
			Package: "web", Unit: name, Outcome: result, Reason: v.Reason, Log: []string{secret}, Verdict: v,
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := results.Dir(kept).PutPackage(results.Package{Package: "web", Log: []string{secret}}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(state, "web.service.json")
	outputs := [][]string{
		{"merge", state},
		{"merge", state, "--format", "json"},
		{"survey", "status", kept},
	}
	forms := append(slices.Sorted(maps.Keys(report.Formats)), "junit")
	for _, as := range forms {
		outputs = append(outputs, []string{"report", kept, "--as", as})
		outputs = append(outputs, []string{"report", "--state", state, "--as", as})
	}
	for _, as := range slices.Sorted(maps.Keys(export.Forms)) {
		outputs = append(outputs, []string{"export", "web", "--root", root, "--state", state, "--as", as})
	}
	for _, args := range outputs {
		said, code := run(t, args...)
		if strings.Contains(said, secret) || code > exitFindings {
			t.Errorf("temper %s: exit %d\n%s", strings.Join(args, " "), code, said)
		}
	}
	for _, as := range []string{"html", "json", "junit"} {
		for _, from := range [][]string{{kept}, {"--state", state}} {
			args := slices.Concat([]string{"report", "--logs", "--as", as}, from)
			if said, code := run(t, args...); !strings.Contains(said, secret) || code != exitOK {
				t.Errorf("temper %s: exit %d, and no line of a log", strings.Join(args, " "), code)
			}
		}
	}
	ship := filepath.Join(dir, "ship")
	said, code := run(t, "share", file, ship)
	shipped, err := os.ReadFile(filepath.Join(ship, "web.service.json"))
	if code != exitOK || err != nil || bytes.Contains(shipped, []byte(secret)) {
		t.Errorf("temper share: exit %d: %s\n%s", code, said, shipped)
	}
	private(t, filepath.Join(kept, "web", "web.service.json"))
}

// TestReportOfTheRest: a verdict or result that cannot be read is told, and the others are reported.
func TestReportOfTheRest(t *testing.T) {
	state, kept := t.TempDir(), t.TempDir()
	v := talkative("web.service", verdict.Proven)
	err := errors.Join(
		(verdict.Store{Dirs: []string{state}}).Put(v),
		results.Dir(kept).PutUnit(results.Unit{Package: "web", Unit: "web.service", Outcome: v.Result, Verdict: v}),
		os.WriteFile(filepath.Join(state, "bad.service.json"), []byte("{"), 0o600),
		os.WriteFile(filepath.Join(kept, "web", "bad.service.json"), []byte("{"), 0o600),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range [][]string{{"--state", state}, {kept}} {
		said, code := run(t, slices.Concat([]string{"report", "--as", "markdown"}, from)...)
		has := func(text string) bool { return strings.Contains(said, text) }
		if code != exitOK || !has("left out: ") || !has("| web.service | proven |") {
			t.Errorf("report %q: exit %d:\n%s", from, code, said)
		}
	}
}

// private wants a file that has lines of logs to be its owner's alone.
func private(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%s has mode %o", file, info.Mode().Perm())
	}
}

// run executes temper, and returns all that it says.
func run(t *testing.T, args ...string) (said string, code int) {
	t.Helper()
	var b bytes.Buffer
	code = execute(t.Context(), args, &b, &b)
	return b.String(), code
}

// TestShare: what is no verdict, or would leave the directory, is not shipped.
func TestShare(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "verdict")
	for name, v := range map[string]verdict.Verdict{
		"no service":     {Unit: "a.socket", Fingerprint: verdict.Fingerprint{Unit: "u"}},
		"another place":  {Unit: "../a.service", Fingerprint: verdict.Fingerprint{Unit: "u"}},
		"no fingerprint": {Unit: "a.service"},
		"newer":          {Unit: "a.service", Schema: verdict.Schema + 1, Fingerprint: verdict.Fingerprint{Unit: "u"}},
	} {
		data, err := json.Marshal(v)
		if err == nil {
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if said, code := run(t, "share", file, filepath.Join(dir, "ship")); code != exitFailed ||
			!strings.Contains(said, file+":1: ") {
			t.Errorf("%s: exit %d: %s", name, code, said)
		}
	}
}
