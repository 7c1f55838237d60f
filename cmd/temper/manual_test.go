package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"temper/generator"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/manual"
	"temper/profiles"
)

func pages(t *testing.T) (*cobra.Command, map[string]string) {
	t.Helper()
	root := (&app{out: io.Discard, err: io.Discard}).command()
	pages, err := manual.Pages(root, "../../packaging/man")
	if err != nil {
		t.Fatal(err)
	}
	return root, pages
}

// documents reports whether a page, or a section of it, has an entry for a name.
func documents(page, name string) bool {
	entry := regexp.MustCompile(`(?m)^\.TP\n\.B[IR]* ` + regexp.QuoteMeta(manual.Escape(name)) + `($|[ =])`)
	return entry.MatchString(page)
}

func TestEveryVerbAndFlagHasAPage(t *testing.T) {
	root, pages := pages(t)
	for _, c := range append(manual.Verbs(root), root) {
		page, ok := pages[manual.PageName(c)+".1"]
		if !ok {
			t.Errorf("%s has no page", c.CommandPath())
			continue
		}
		if c != root && !strings.Contains(pages["temper.1"], ".BR "+manual.Escape(manual.PageName(c))+" (1)") {
			t.Errorf("temper(1) does not name %s", manual.PageName(c))
		}
		check := func(f *pflag.Flag) {
			if !documents(page, "--"+f.Name) {
				t.Errorf("%s does not document --%s", manual.PageName(c), f.Name)
			}
		}
		c.NonInheritedFlags().VisitAll(check)
		c.InheritedFlags().VisitAll(check)
		for _, section := range []string{
			"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES",
			"SEE ALSO",
		} {
			if !strings.Contains(page, "\n.SH "+section+"\n") {
				t.Errorf("%s has no section %s", manual.PageName(c), section)
			}
		}
	}
}

// TestEveryCommandIsInTheManual: what the help lists has a page, or an entry in temper(1).
func TestEveryCommandIsInTheManual(t *testing.T) {
	root, pages := pages(t)
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("help")
	for _, c := range root.Commands() {
		if _, ok := pages[manual.PageName(c)+".1"]; !ok && !c.Hidden && !documents(pages["temper.1"], c.CommandPath()) {
			t.Errorf("temper(1) does not document %s", c.CommandPath())
		}
	}
	if !documents(pages["temper.1"], "--version") {
		t.Error("temper(1) does not document --version")
	}
}

func TestEveryDirectiveIsInTheManual(t *testing.T) {
	_, pages := pages(t)
	for _, d := range directive.All() {
		if !documents(pages["temper.profile.5"], d.Name) {
			t.Errorf("temper.profile(5) does not document %s=", d.Name)
		}
	}
}

// TestEveryKeyIsInTheManual learns the keys of each table from the message about one that does not exist, and wants
// each where the manual describes that table.
func TestEveryKeyIsInTheManual(t *testing.T) {
	_, pages := pages(t)
	page := pages["temper.profile.5"]
	tables := map[string]string{
		"":                               ".SH KEYS AT THE TOP",
		"[prove]\n":                      ".SH THE TABLE [PROVE]",
		"[[check]]\nexec = [\"true\"]\n": ".SH CHECKS",
	}
	for _, kind := range keysOf(t, "[[check]]\nexec = [\"true\"]\n")[7:] {
		tables["[[check]]\n[check."+kind+"]\n"] = ".B " + kind + "\n"
	}
	if len(tables) != 11 {
		t.Errorf("%d tables, want 3 and one for each of 8 kinds of checks: adapt this test to a new kind", len(tables))
	}
	for table, heading := range tables {
		at := strings.LastIndex(page, heading) // kinds are named before they are described
		if at < 0 {
			t.Errorf("temper.profile(5) has no %q", heading)
			continue
		}
		section := page[at+len(heading):]
		for _, end := range []string{"\n.SH ", "\n.RE\n"} {
			if end == "\n.SH " || strings.HasPrefix(heading, ".B ") {
				section, _, _ = strings.Cut(section, end)
			}
		}
		for _, key := range keysOf(t, table) {
			if !documents(section, key) {
				t.Errorf("temper.profile(5) does not document %s below %q", key, heading)
			}
		}
	}
}

// keysOf returns the keys that a table may have, as the message about an unknown one lists them.
func keysOf(t *testing.T, table string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.toml")
	if err := os.WriteFile(file, []byte(table+"qqqqqqqqqqqq = 1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := profiles.LoadFile(file, nil)
	for _, f := range profiles.Findings(err) {
		if list, ok := strings.CutPrefix(f.Fix, "there are "); ok && f.ID == profiles.IDUnknownKey {
			return strings.Split(list, ", ")
		}
	}
	t.Fatalf("%q: got %v, want a list of keys", table, err)
	return nil
}

func TestEverySettingIsInTheManual(t *testing.T) {
	_, pages := pages(t)
	data, err := os.ReadFile("../../packaging/temper.toml")
	if err != nil {
		t.Fatal(err)
	}
	settings := settingKeys(t)
	if len(settings) < 2 {
		t.Fatalf("got the settings %q", settings)
	}
	for _, key := range settings {
		if !documents(pages["temper.toml.5"], key) {
			t.Errorf("temper.toml(5) does not document %s", key)
		}
		if !strings.Contains(string(data), "\n#"+key+" = ") {
			t.Errorf("packaging/temper.toml does not show %s", key)
		}
	}
}

// settingKeys learns the settings from the message about an unknown one.
func settingKeys(t *testing.T) []string {
	t.Helper()
	_, err := loadSettings(t, "qqqqqqqqqqqq = 1\n")
	if err == nil {
		t.Fatal("an unknown setting was taken")
	}
	_, list, _ := strings.Cut(err.Error(), "want ")
	return strings.FieldsFunc(strings.ReplaceAll(list, " or ", ", "), func(r rune) bool { return r == ',' || r == ' ' })
}

func loadSettings(t *testing.T, text string) (generator.Settings, error) {
	t.Helper()
	root := t.TempDir()
	file := filepath.Join(root, generator.SettingsFile)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	return generator.LoadSettings(host.At(root))
}

// TestShippedSettings: the file changes nothing as it is, and what it shows are the defaults.
func TestShippedSettings(t *testing.T) {
	data, err := os.ReadFile("../../packaging/temper.toml")
	if err != nil {
		t.Fatal(err)
	}
	open := regexp.MustCompile(`(?m)^#(\w+ = )`).ReplaceAllString(string(data), "$1")
	for name, text := range map[string]string{"as it is": string(data), "with all that it shows": open} {
		s, err := loadSettings(t, text)
		if err != nil || s.Unproven != generator.Hold || len(s.Exclude) != 0 {
			t.Errorf("%s: got %+v, %v, want the defaults", name, s, err)
		}
	}
}
