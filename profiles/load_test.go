package profiles_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/internal/host"
	"temper/profiles"
	"temper/profiles/lint"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestLoad loads the tree in each testdata/load/*.txtar and compares what is wrong with the file "problems" and what
// was loaded with "profiles", if the archive has that.
func TestLoad(t *testing.T) {
	each(t, "testdata/load", func(t *testing.T, root host.Root, expect map[string]*[]byte) {
		set, errs := profiles.Load(root, nil)
		*expect["problems"] = lines(errs)
		if got := expect["profiles"]; got != nil {
			*got = dump(set)
		}
	})
}

// TestLintFiles lints every profile of the trees in testdata/lint.
func TestLintFiles(t *testing.T) {
	each(t, "testdata/lint", func(t *testing.T, root host.Root, expect map[string]*[]byte) {
		set, errs := profiles.Load(root, nil)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		var found []string
		for _, p := range set.All() {
			for _, f := range lint.Profile(p, set) {
				found = append(found, fmt.Sprintf("%s %v", f.ID, f))
			}
		}
		*expect["findings"] = lines(found)
	})
}

// each unpacks the archives of a directory, one root for each, and compares the files whose names have no slash with
// what run makes of them.
func each(t *testing.T, dir string, run func(t *testing.T, root host.Root, expect map[string]*[]byte)) {
	archives, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives in %s: %v", dir, err)
	}
	for _, file := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			root, want, got := t.TempDir(), map[string]string{}, map[string]*[]byte{}
			for i, f := range archive.Files {
				if !strings.Contains(f.Name, "/") {
					want[f.Name], got[f.Name] = string(f.Data), &archive.Files[i].Data
					continue
				}
				write(t, filepath.Join(root, f.Name), string(f.Data))
			}
			run(t, host.At(root), got)
			for name := range maps.Keys(want) {
				if diff := cmp.Diff(want[name], string(*got[name])); diff != "" && !*update {
					t.Errorf("%s: -want +got\n%s", name, diff)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// write writes a file; one that begins with "-> " becomes a link.
func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	target, link := strings.CutPrefix(content, "-> ")
	err := error(nil)
	if link {
		err = os.Symlink(strings.TrimSpace(target), name)
	} else {
		err = os.WriteFile(name, []byte(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func lines[E any](items []E) []byte {
	var b strings.Builder
	for _, item := range items {
		fmt.Fprintln(&b, item)
	}
	return []byte(b.String())
}

// dump prints what was loaded, defaults left out.
func dump(set *profiles.Set) []byte {
	var b strings.Builder
	for _, p := range set.All() {
		fmt.Fprintf(&b, "%s (%s) %q units %q\n", p.Name, p.Path, p.Description, p.Units)
		if !slices.Equal(p.Sources, []string{p.Path}) {
			fmt.Fprintf(&b, "  sources %q\n", p.Sources)
		}
		if len(p.Secrets)+len(p.SecretsFor) > 0 {
			fmt.Fprintf(&b, "  secrets %q for %q\n", p.Secrets, p.SecretsFor)
		}
		for _, s := range p.Service {
			fmt.Fprintf(&b, "  %s = %q (%s, %v)\n", s.Name, s.Values, s.Profile, s.Pos)
		}
		if diff := cmp.Diff(profiles.DefaultProve(), p.Prove); diff != "" {
			fmt.Fprintf(&b, "  prove %+v\n", p.Prove)
		}
		for _, c := range p.Checks {
			fmt.Fprintf(&b, "  check %q %s required=%t timeout=%v retry=%v phase=%q (%v)\n", c.Name, c.Kind(),
				c.Required, c.Timeout, c.Retry, c.Phase, c.Pos)
			fmt.Fprintf(&b, "    %s\n", body(c))
		}
	}
	return []byte(b.String())
}

// body prints the kind that a check has.
func body(c profiles.Check) string {
	c = profiles.Check{
		HTTP: c.HTTP, TCP: c.TCP, UDP: c.UDP, Unix: c.Unix,
		Exec: c.Exec, File: c.File, DBus: c.DBus, Journal: c.Journal,
	}
	data, err := json.Marshal(c)
	if err != nil {
		return err.Error()
	}
	var kinds map[string]json.RawMessage
	if err := json.Unmarshal(data, &kinds); err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, k := range []string{"HTTP", "TCP", "UDP", "Unix", "Exec", "File", "DBus", "Journal"} {
		if s := string(kinds[k]); s != "null" {
			fmt.Fprint(&b, k, " ", s)
		}
	}
	return b.String()
}
