package generator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/host"
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
