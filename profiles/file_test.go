package profiles_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/profiles"
)

func TestLoadFile(t *testing.T) {
	set := setOf(t, map[string]string{
		"nginx.toml":     "extends = ['base/web']\nunits = ['nginx.service']\n[service]\nPrivateTmp = true",
		"base/web.toml":  "[service]\nProtectHome = true\nPrivateTmp = false",
		"base/here.toml": "[service]\nProtectSystem = true",
	})
	tmp := t.TempDir()
	write(t, filepath.Join(tmp, "nginx.toml"), "extends = ['nginx', 'base/here']\n[service]\nUMask = '0077'")
	write(t, filepath.Join(tmp, "base/here.toml"), "[service]\nProtectSystem = 'strict'")
	write(t, filepath.Join(tmp, "base/up.toml"), "extends = ['base/here']")
	write(t, filepath.Join(tmp, "bad.toml"), "extends = ['base/heer', 'ngin']\nfoo = 1")
	write(t, filepath.Join(tmp, "alone.toml"), "extends = ['alone']")

	settings := func(p *profiles.Profile) string {
		var b strings.Builder
		for _, s := range p.Service {
			fmt.Fprintf(&b, "%s=%s (%s) ", s.Name, strings.Join(s.Values, ","), s.Profile)
		}
		return strings.TrimSpace(b.String())
	}
	for _, row := range []struct{ file, name, want string }{
		{"nginx.toml", "nginx", "ProtectHome=yes (base/web) PrivateTmp=yes (nginx) ProtectSystem=strict (base/here) " +
			"UMask=0077 (nginx)"},
		{"base/up.toml", "base/up", "ProtectSystem=strict (base/here)"},
	} {
		p, err := profiles.LoadFile(filepath.Join(tmp, row.file), set)
		if err != nil {
			t.Errorf("%s: %v", row.file, err)
			continue
		}
		if got := settings(p); p.Name != row.name || got != row.want {
			t.Errorf("%s: %s: got  %s\nwant %s", row.file, p.Name, got, row.want)
		}
	}

	for _, row := range []struct {
		file string
		base *profiles.Set
		want []string
	}{
		{"bad.toml", set, []string{
			`bad.toml:2: unknown key "foo" at the top of a profile: there are description, units, extends, apply, draft, secrets, secrets_for, service, prove, check`,
			`bad.toml:1: extends "base/heer", which does not exist: write "base/here"`,
			`bad.toml:1: extends "ngin", which does not exist: write "nginx"`,
		}},
		{"alone.toml", nil, []string{`alone.toml:1: extends "alone", which does not exist`}},
		{"missing.toml", nil, []string{"missing.toml: open: no such file or directory"}},
	} {
		p, err := profiles.LoadFile(filepath.Join(tmp, row.file), row.base)
		var got []string
		for _, f := range profiles.Findings(err) {
			got = append(got, strings.TrimPrefix(f.Error(), tmp+"/"))
		}
		if diff := cmp.Diff(row.want, got); diff != "" || p != nil {
			t.Errorf("%s: %v: -want +got\n%s", row.file, p, diff)
		}
	}
}

// TestLoadFileOfTheSet: a file of the search path extends the next ones of its name, however it is reached.
func TestLoadFileOfTheSet(t *testing.T) {
	root := t.TempDir()
	for i, text := range []string{
		"extends = ['web']\n[service]\nUMask = '0077'\n[prove]\nsetup = ['true']",
		"extends = ['web']\n[service]\nUMask = '0022'\nPrivateTmp = true",
		"units = ['web.service']\n[service]\nPrivateTmp = false\nProtectHome = true",
	} {
		write(t, filepath.Join(root, profiles.SearchPath[i], "web.toml"), text)
	}
	set, errs := profiles.Load(host.At(root), nil)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	want, _ := set.Get("web")
	file := filepath.Join(root, profiles.SearchPath[0], "web.toml")
	got, err := profiles.LoadFile(file, set)
	if err != nil {
		t.Fatal(err)
	}
	if mask, _ := want.Setting("UMask"); mask.Line() != `UMask = ["0077"]` || len(want.Service) != 3 {
		t.Errorf("the set has %v", want.Service)
	}
	if got.Digest != want.Digest || len(got.Prove.Setup) != 1 {
		t.Errorf("the digest is %s, want %s; setup is %q", got.Digest, want.Digest, got.Prove.Setup)
	}
	other := filepath.Join(t.TempDir(), "web.toml") // a new version of it
	write(t, other, "extends = ['web']\n[service]\nUMask = '0007'")
	got, err = profiles.LoadFile(other, set)
	if err != nil {
		t.Fatal(err)
	}
	if mask, _ := got.Setting("UMask"); mask.Line() != `UMask = ["0007"]` || len(got.Sources) != 4 {
		t.Errorf("%s from %q", mask.Line(), got.Sources)
	}
}

// A path relative to the working directory is what people type.
func TestLoadFileRelative(t *testing.T) {
	t.Chdir("library")
	p, err := profiles.LoadFile("nginx.toml", nil)
	if err != nil || p.Name != "nginx" || p.Path != "nginx.toml" {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err = profiles.LoadFile("base/daemon.toml", nil); err != nil || p.Name != "base/daemon" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestFindings(t *testing.T) {
	a := profiles.Finding{ID: profiles.IDSyntax, Path: "a.toml", Line: 3, Message: "wrong", Fix: "right"}
	b := profiles.Finding{ID: profiles.IDUnreadable, Path: "b.toml", Message: "gone"}
	got := profiles.Findings(fmt.Errorf("load: %w", errors.Join(a, errors.New("other"), fmt.Errorf("wrapped: %w", b))))
	if diff := cmp.Diff([]profiles.Finding{a, {ID: profiles.IDUnreadable, Message: "other"}, b}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := profiles.Findings(nil); got != nil {
		t.Errorf("no error: %v", got)
	}
	if got := fmt.Sprint(a, "; ", b); got != "a.toml:3: wrong: right; b.toml: gone" {
		t.Error(got)
	}
}

func TestPattern(t *testing.T) {
	for _, row := range []struct {
		pattern profiles.Pattern
		text    string
		want    bool
	}{
		{"", "", true},
		{"", "x", true},
		{"ok", "it is ok", true},
		{"ok", "it is not", false},
		{"a.c", "abc", false},
		{"/a.c/", "abc", true},
		{"/^b$/", "a\nb\nc", true},
		{"/usr", "/usr/lib", true},
		{"/", "a/b", true},
		{"//", "a//b", true},
		{"//", "a", false},
		{"/(/", "(", false}, // never loads
	} {
		if got := row.pattern.Match(row.text); got != row.want {
			t.Errorf("Pattern(%q).Match(%q) = %t", row.pattern, row.text, got)
		}
	}
}

func TestCheckPhases(t *testing.T) {
	for _, row := range []struct {
		of   string
		want []bool // running, reloaded, restarted, stopped
	}{
		{"", []bool{true, true, true, false}},
		{profiles.PhaseStopped, []bool{false, false, false, true}},
		{profiles.PhaseReloaded, []bool{false, true, false, false}},
	} {
		var got []bool
		phases := []string{
			profiles.PhaseRunning, profiles.PhaseReloaded, profiles.PhaseRestarted, profiles.PhaseStopped,
		}
		for _, phase := range phases {
			got = append(got, profiles.Check{Phase: row.of}.In(phase))
		}
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("phase %q: %s", row.of, diff)
		}
	}
}
