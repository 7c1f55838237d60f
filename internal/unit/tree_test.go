package unit_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/internal/host"
	"temper/internal/unit"
)

var update = flag.Bool("update", false, "write what was loaded into testdata/*.txtar")

// archives are trees as text: a file named "a -> b" is a link, one in want/ what the unit of that name loads as.
func archives(t testing.TB) map[string]*txtar.Archive {
	t.Helper()
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatalf("no testdata/*.txtar: %v", err)
	}
	all := map[string]*txtar.Archive{}
	for _, name := range names {
		a, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = a
	}
	return all
}

// extract makes the tree of an archive below dir and returns the units that it wants something of. An empty line
// before the next file belongs to the text of the archive, not to the file.
func extract(t testing.TB, dir string, a *txtar.Archive) []string {
	t.Helper()
	var wants []string
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, "want/"); ok {
			wants = append(wants, name)
			continue
		}
		name, target, isLink := strings.Cut(f.Name, " -> ")
		full := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		if err == nil && isLink {
			err = os.Symlink(target, full)
		} else if err == nil {
			data, _, _ := bytes.Cut(f.Data, []byte("\n\n"))
			err = os.WriteFile(full, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return wants
}

// describe prints all that is known of a unit.
func describe(u *unit.Unit, err error) string {
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "id: %s\n", u.ID)
	for _, a := range u.Aliases {
		fmt.Fprintf(&b, "alias: %s\n", a)
	}
	if u.Fragment != "" {
		fmt.Fprintf(&b, "fragment: %s\n", u.Fragment)
	}
	if u.Masked {
		fmt.Fprintf(&b, "masked\n")
	}
	for _, d := range u.Dropins {
		fmt.Fprintf(&b, "dropin: %s\n", d)
	}
	for _, d := range u.Masks {
		fmt.Fprintf(&b, "mask: %s\n", d)
	}
	for _, a := range u.Assignments {
		fmt.Fprintf(&b, "%s: [%s] %s=%s\n", a.Pos, a.Section, a.Name, a.Value)
	}
	for _, p := range u.Problems {
		fmt.Fprintf(&b, "problem: %s\n", p)
	}
	return b.String()
}

func TestLoadTrees(t *testing.T) {
	for file, a := range archives(t) {
		root := t.TempDir()
		extract(t, root, a)
		l := &unit.Loader{Root: host.At(root)}
		for i, f := range a.Files {
			name, ok := strings.CutPrefix(f.Name, "want/")
			if !ok {
				continue
			}
			t.Run(filepath.Base(file)+"/"+name, func(t *testing.T) {
				got := describe(l.Load(name))
				if strings.Contains(got, root) {
					t.Errorf("a path of this machine shows:\n%s", got)
				}
				if *update {
					a.Files[i].Data = []byte(got)
				} else if d := cmp.Diff(string(f.Data), got); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
			})
		}
		if *update {
			if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
