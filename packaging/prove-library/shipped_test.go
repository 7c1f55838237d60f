package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// again is how to get right what these tests find wrong.
const again = "run `sudo testdata/library/prove -record "

func shippedSet(t *testing.T) *profiles.Set {
	t.Helper()
	set, problems := profiles.Load(host.At(t.TempDir()), []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

// TestShipped: a verdict that packages bring is about the profile that they bring, which the table tells of, too.
func TestShipped(t *testing.T) {
	set := shippedSet(t)
	dir, err := filepath.Abs("../../" + verdictDir)
	if err != nil {
		t.Fatal(err)
	}
	store := verdict.Store{Dirs: []string{dir}}
	text, err := os.ReadFile("../../" + tableFile)
	if err != nil {
		t.Fatal(err)
	}
	rows := readPage(string(text))[shipped]
	units, err := store.Units()
	if err != nil || len(units) == 0 {
		t.Fatalf("there are none: %v", err)
	}
	for _, name := range units {
		v, err := store.Get(name)
		if err != nil {
			t.Error(err)
			continue
		}
		p, ok := set.Get(v.Profile)
		if !ok || !slices.Contains(p.Units, name) {
			t.Errorf("%s: there is no profile %q for it: remove profiles/verdicts/%s.json", name, v.Profile, name)
			continue
		}
		in := generator.Input{Profile: p, Named: true, Secrets: set.SecretsFor(name, unit.Template(name))}
		if f := v.Fingerprint; f.Profile != in.Digest() || f.Unit == "" || f.Systemd != 0 || f.Kernel != "" {
			t.Errorf(
				"%s: taken of another profile, or for one machine: %s%s %s`: %+v",
				name,
				again,
				shipped,
				v.Profile,
				f,
			)
		}
		if s := (service{
			suite: shipped, unit: name, profile: p, root: true,
			verdict: &v,
		}); v.Result != verdict.Proven ||
			len(v.Demotions) > 0 {
			t.Errorf("%v: %s%s %s`", s.problems(), again, shipped, v.Profile)
		}
		if diff := cmp.Diff(v.Shared(), v); diff != "" {
			t.Errorf("%s: ships what the service said (-shared +shipped):\n%s", name, diff)
		}
		if row := rows[short(name)]; !strings.Contains(row, " | ") || strings.Contains(row, "not proven") {
			t.Errorf("%s: %s has the row %q: %s%s %s`", name, tableFile, row, again, shipped, v.Profile)
		}
	}
	for name, row := range rows {
		if _, err := store.Get(name + ".service"); err != nil && !strings.Contains(row, absent) {
			t.Errorf("%s: row %q and no verdict: %v", tableFile, row, err)
		}
	}
}

// TestPage: the table is as the tool writes it, and has every profile of the library for every suite.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../" + tableFile)
	if err != nil {
		t.Fatal(err)
	}
	p := readPage(string(text))
	if p.String() != string(text) {
		t.Errorf("%s was not written by the tool: %sSUITE`", tableFile, again)
	}
	l := &library{set: shippedSet(t)}
	for _, suite := range suites {
		for _, profile := range l.missing(nil) {
			if !slices.ContainsFunc(profile.Units, func(u string) bool { return p[suite][short(u)] != "" }) {
				t.Errorf(
					"%s: nothing on %s in %s: %s%s %s`",
					tableFile,
					profile.Name,
					suite,
					again,
					suite,
					profile.Name,
				)
			}
		}
	}
}
