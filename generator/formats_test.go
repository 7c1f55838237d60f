package generator_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
)

// TestFormats: what an older or a newer temper has written applies, whatever has changed. The former is proven again,
// and the latter is left alone.
func TestFormats(t *testing.T) {
	const applied = "PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service"
	for _, tc := range []struct {
		name, schema string // what is in place of the key schema
		program      string // as it is now
		needsProof   bool
		says         string
	}{
		{"0.1.0", "", "version 1", true, "the format of verdicts"},
		{"0.1.0, and another program", "", "version two", true, "the executable, the format of verdicts"},
		{"as now", `"schema": 1,`, "version 1", false, "proven"},
		{"newer", `"schema": 1000, "new": {},`, "version 1", false, "a newer temper"},
		{"newer, and another program", `"schema": 1000,`, "version two", false, "a newer temper"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := webRoot(t)
			stored := filepath.Join(root, "etc/temper/verdicts/web.service.json")
			data, err := os.ReadFile(stored)
			if err != nil {
				t.Fatal(err)
			}
			put(t, root, "etc/temper/verdicts/web.service.json",
				strings.Replace(string(data), `"schema": 1,`, tc.schema, 1))
			if tc.program != "version 1" {
				put(t, root, "usr/sbin/web", tc.program)
			}
			g, u := loadWeb(t, root)
			d, err := g.Decide(u)
			if err != nil {
				t.Fatal(err)
			}
			if got := assigned(d.Text); got != applied {
				t.Errorf("applied\n%s, want\n%s", got, applied)
			}
			if d.NeedsProof != tc.needsProof || !strings.Contains(d.Why, tc.says) {
				t.Errorf("%q, needs a proof: %t; want it to say %q and %t", d.Why, d.NeedsProof, tc.says, tc.needsProof)
			}
			if err := g.Store.Replaceable(u.ID); (err != nil) != strings.Contains(tc.schema, "1000") {
				t.Errorf("may a proof replace it: %v", err)
			}
		})
	}
}

// TestVerdictOf010: the verdict that 0.1.0 stored on a machine goes on applying, byte for byte, and is proven again. It
// also does after the upgrade has brought another profile.
func TestVerdictOf010(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/formats-0.1.0.txtar")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, f := range archive.Files {
		put(t, root, f.Name, string(f.Data))
	}
	program := filepath.Join(root, "usr/sbin/cron")
	put(t, root, "usr/sbin/cron", "")
	made := time.Date(2025, time.June, 13, 8, 30, 37, 0, time.UTC)
	must(t, os.Truncate(program, 60064))
	must(t, os.Chtimes(program, made, made))

	stored, err := verdict.Store{Root: host.At(root)}.Get("cron.service")
	must(t, err)
	for _, name := range []string{"", "usr/lib/temper/profiles.d/cron.toml"} {
		if name != "" {
			today, err := fs.ReadFile(profiles.Library(), "cron.toml")
			must(t, err)
			put(t, root, name, string(today))
		}
		g, problems, err := generator.New(host.At(root), "")
		if err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
		u, err := g.Units.Load("cron.service")
		must(t, err)
		d, err := g.Decide(u)
		must(t, err)
		if !d.NeedsProof || d.By != generator.ByStale || !strings.Contains(d.Why, "the format of verdicts") {
			t.Errorf("needs a proof %v, decided by %q: %s", d.NeedsProof, d.By, d.Why)
		}
		if name == "" && (generator.WithoutGuard(d.Text) != stored.Dropin || strings.Contains(d.Why, "the unit")) {
			t.Errorf("%s: applied\n%s\nwant\n%s", d.Why, d.Text, stored.Dropin)
		}
		if diff := cmp.Diff(assigned(stored.Dropin), assigned(d.Text)); diff != "" {
			t.Errorf("applied (-stored +applied):\n%s", diff)
		}
	}
}

// TestSettingsOfANewerTemper: they are not guessed at.
func TestSettingsOfANewerTemper(t *testing.T) {
	root := t.TempDir()
	put(t, root, "etc/temper/temper.toml", "stale = \"drop\"\nschema = 2\nnew = true\n")
	_, err := generator.LoadSettings(host.At(root))
	const want = "/etc/temper/temper.toml:2: schema = 2 is the format of a newer temper, this one knows up to 1"
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	put(t, root, "etc/temper/temper.toml", "schema = 1\n")
	if _, err := generator.LoadSettings(host.At(root)); err != nil {
		t.Error(err)
	}
}
