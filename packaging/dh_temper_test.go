package packaging

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/verdict"
)

// debhelper stands for the functions of debhelper that dh_temper uses.
const debhelper = `package Debian::Debhelper::Dh_Lib;
use strict;
use warnings;
use parent 'Exporter';
our %dh = (DOPACKAGES => ['web']);
our @EXPORT = qw(%dh init pkgfile tmpdir install_dir install_file doit autoscript);
sub init { }
sub pkgfile { my ($package, $name) = @_; return -e "debian/$package.$name" ? "debian/$package.$name" : ''; }
sub tmpdir { return "debian/$_[0]"; }
sub install_dir { system('mkdir', '-p', @_) == 0 or die; }
sub install_file { }
sub doit { system(@_) == 0 or die; }
sub autoscript { }
1;
`

// TestDebhelperShipsNoLogs: what dh_temper installs is what temper itself would share, without the machine part.
func TestDebhelperShipsNoLogs(t *testing.T) {
	perl, err := exec.LookPath("perl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	module := filepath.Join(dir, "lib/Debian/Debhelper/Dh_Lib.pm")
	log := verdict.Evidence{Kind: "log", Text: `said "kind": "log", and {"x": [ ]}, hunter2 \`}
	refused := verdict.Evidence{Kind: "refused", Text: `a: openat("/x", [ ]): EACCES`}
	v := verdict.Verdict{
		Unit: "web.service", Result: verdict.Proven, Dropin: "[Service]\nX=[ ]\nY=[1, ]\n", Systemd: 257,
		Applied: []verdict.Applied{{Directive: "X", Value: "[ ]"}}, LeftOut: []verdict.LeftOut{},
		Demotions: []verdict.Demotion{
			{Directive: "A", Evidence: []verdict.Evidence{log}},
			{Directive: "B", Evidence: []verdict.Evidence{log, refused}},
			{Directive: "C", Evidence: []verdict.Evidence{refused, log}},
			{Directive: "D", Evidence: []verdict.Evidence{refused, log, refused}},
		},
		Advisories: []verdict.Evidence{
			{Kind: "check", Text: `answers "x" (http, running): hunter2 "): "`},
			{Kind: "baseline", Text: "logs an error that it does not log without hardening: hunter2"},
			{Kind: "baseline", Text: "logs what it does not log without hardening: hunter2"},
			{Kind: "baseline", Text: "tcp *:80 answers a client, asked for status: hunter2; without hardening: hunter2"},
			{Kind: "baseline", Text: "running: does not run worker"},
		},
		Use: &verdict.Use{
			Checks: []verdict.Check{{Name: "answers", Result: verdict.Failed, Reason: "got hunter2"}},
			Phases: []string{"running"}, Work: []string{}, Grants: []verdict.Grant{},
		},
		Reason: "hunter2", Seconds: 12,
		LastAttempt: &verdict.Attempt{Result: verdict.Flaky, Reason: "it logs: hunter2"},
		Fingerprint: verdict.Fingerprint{Unit: "u", Profile: "p", Systemd: 257, Kernel: "6.12"},
	}
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		module: debhelper,
		filepath.Join(dir, "debian/web.temper.verdict"): string(data) + "\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script, err := filepath.Abs("debhelper/dh_temper")
	if err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "bin/temper"), "../cmd/temper")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := exec.Command(perl, "-I", filepath.Join(dir, "lib"), script)
	c.Dir, c.Env = dir, append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	shipped, err := os.ReadFile(filepath.Join(dir, "debian/web/usr/lib/temper/verdicts/web.service.json"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shipped), "hunter2") {
		t.Errorf("a word of the service is shipped:\n%s", shipped)
	}
	var got verdict.Verdict
	if err := json.Unmarshal(shipped, &got); err != nil {
		t.Fatalf("%v\n%s", err, shipped)
	}
	want := v.Shared()
	want.Fingerprint.Systemd, want.Fingerprint.Kernel, want.Seconds, want.Schema = 0, "", 0, verdict.Schema
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
