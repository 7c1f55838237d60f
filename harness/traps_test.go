package harness_test

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
)

// TestSystemdTraps proves every service of testdata/traps, each of which breaks under known directives, and compares what
// was given up with what must be.
func TestSystemdTraps(t *testing.T) { proveAll(t, "../testdata/traps/*.txtar") }

// TestSystemdKinds proves services of every kind that systemd knows, testdata/kinds. Each makes sure itself that it is run
// as it must be.
func TestSystemdKinds(t *testing.T) { proveAll(t, "../testdata/kinds/*.txtar") }

// proveAll proves services on every version of systemd, each with a place of its own.
func proveAll(t *testing.T, pattern string) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	var side sync.WaitGroup // by side, however few processors there are: trials wait more than they work
	for _, tree := range []string{"trixie", "bookworm", "sid"} {
		side.Go(func() {
			t.Run(tree, func(t *testing.T) {
				where := boot(t, tree)
				for _, file := range files {
					t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
						readTrap(t, file).prove(t, where)
					})
				}
			})
		})
	}
	side.Wait()
}

// A trap is a service, what it needs, and what must come of proving it. Its file has parts: NAME.service and the like are
// units; trap.toml is the profile, whose first unit is proven; parts whose names have a slash are files below /; expect is
// the outcome, or expect-VERSION with this version of systemd and older ones, to the next older part; since is the first
// version that has what the service needs.
type trap struct {
	units, files map[string]string
	profile      string
	since        int
	expect       map[int]string
}

func readTrap(t *testing.T, file string) trap {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	trap := trap{units: map[string]string{}, files: map[string]string{}, expect: map[int]string{}}
	for _, f := range archive.Files {
		text := string(f.Data)
		name, version, _ := strings.Cut(f.Name, "-")
		switch {
		case f.Name == "trap.toml":
			trap.profile = text
		case f.Name == "since":
			trap.since = number(t, strings.TrimSpace(text))
		case name == "expect":
			trap.expect[number(t, cmp.Or(version, "999"))] = text
		case strings.Contains(f.Name, "/"):
			trap.files["/"+f.Name] = text
		default:
			trap.units["/usr/lib/systemd/system/"+f.Name] = text
		}
	}
	return trap
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// want is the outcome that is expected of a version.
func (tr trap) want(version int) string {
	best := 999
	for until := range tr.expect {
		if version <= until && until < best {
			best = until
		}
	}
	return tr.expect[best]
}

func (tr trap) prove(t *testing.T, where *place.Place) {
	if where.SystemdVersion() < tr.since {
		t.Logf("not with systemd %d", where.SystemdVersion())
		return
	}
	for _, files := range []map[string]string{tr.units, tr.files} {
		for name, text := range files {
			if err := where.WriteFile(name, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { remove(t, where.Root(), name) })
		}
	}
	toml := filepath.Join(t.TempDir(), "trap.toml")
	if err := os.WriteFile(toml, []byte(tr.profile), 0o600); err != nil {
		t.Fatal(err)
	}
	set := library(t)
	p, err := profiles.LoadFile(toml, set)
	if err != nil {
		t.Fatal(err)
	}
	v, err := harness.Prove(t.Context(), harness.Options{
		Place: where, Profiles: set, Profile: p, Unit: p.Units[0], Progress: func(s string) { t.Log(s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(tr.want(where.SystemdVersion()), outcome(v)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, v.Reason)
	}
	for _, d := range v.Demotions {
		if len(d.Evidence) == 0 || d.Reason == "" {
			t.Errorf("%s= was demoted without a reason", d.Directive)
		}
	}
	for _, a := range v.Advisories {
		if a.Kind == "no-effect" {
			t.Errorf("%s", a.Text)
		}
	}
	left(t, where)
}

func remove(t *testing.T, root host.Root, name string) {
	file, err := root.Path(name)
	if err == nil {
		err = os.Remove(file)
	}
	if err != nil {
		t.Error(err)
	}
}

// left finds what trials left behind: units, and files that make them.
func left(t *testing.T, where *place.Place) {
	t.Helper()
	r, err := where.Run(t.Context(), place.Command{Args: []string{"systemctl", "list-units", "--all", "--plain", "--no-legend", "temper-trial-*"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Stdout != "" {
		t.Errorf("units are left:\n%s", r.Stdout)
	}
	files, err := filepath.Glob(string(where.Root()) + "/run/systemd/system/temper-trial-*")
	if err != nil || len(files) > 0 {
		t.Errorf("files are left: %v %v", files, err)
	}
}

// outcome is a verdict as testdata/traps writes it: its demotions are sorted.
func outcome(v verdict.Verdict) string {
	if v.Result != verdict.Proven {
		return v.Result + "\n"
	}
	var lines []string
	for _, d := range v.Demotions {
		from := cmp.Or(d.From, "nothing")
		lines = append(lines, fmt.Sprintf("%s: %s -> %s\n", d.Directive, strings.ReplaceAll(from, "\n", "; "), strings.ReplaceAll(d.To, "\n", "; ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
