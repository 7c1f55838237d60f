package harness_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"golang.org/x/tools/txtar"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/directive"
	"temper/internal/elf32"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/profiles"
)

const (
	traps = "../testdata/traps/*.txtar"
	kinds = "../testdata/kinds/*.txtar"

	damage = "../testdata/damage/*.txtar"
)

// blindTrees are the trees on which the traps are proven without the witness. Such a search does the same with every
// version of systemd, so one tree is enough for every day.
var blindTrees = flag.String(
	"blind",
	"trixie",
	"trees on which traps are proven without the witness, separated by commas",
)

// TestSystemdTraps proves every service of testdata/traps, each of which breaks under known directives, and compares
// its demotions with the expected ones. A trap is proven with one version of systemd, the traps in turn with all of
// them; a trap that expects something else of some versions is proven with one version for each expectation. With
// -every, each trap is proven with every version.
func TestSystemdTraps(t *testing.T) { proveAll(t, traps, []string{"trixie", "bookworm", "sid"}, false) }

// TestSystemdTrapsBlind does the same without the witness, with every second trap: what the search does then it does
// with the services of harness/search, which need no launch, too.
func TestSystemdTrapsBlind(t *testing.T) { proveAll(t, traps, strings.Split(*blindTrees, ","), true) }

// kindTrees are the trees on which every kind of service is proven: how a unit is cloned depends little on the version.
var kindTrees = flag.String("kinds", "trixie", "trees on which every kind of service is proven, separated by commas")

// TestSystemdKinds proves services of every kind that systemd knows, testdata/kinds. Each service checks itself that it
// runs as its unit says.
func TestSystemdKinds(t *testing.T) { proveAll(t, kinds, strings.Split(*kindTrees, ","), false) }

// TestSystemdDamage proves services that go on under hardening and do less, testdata/damage: no check sees it, and only
// the comparison with the service without hardening does.
func TestSystemdDamage(t *testing.T) { proveAll(t, damage, []string{"trixie"}, false) }

var every = flag.Bool("every", false, "prove every trap on every tree")

// lanes is how many containers prove the traps at the same time, two of each tree or four of one: trials mostly wait.
func lanes(trees []string) int { return max(2, 4/len(trees)) }

// A row is a trap in one kind of place, to be proven on one tree.
type row struct {
	trap
	file string
}

// rowsOf returns the traps that are to be proven on each tree.
func rowsOf(t *testing.T, pattern string, trees []string, blind bool) map[string][]row {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	rows := map[string][]row{}
	for i, file := range files {
		if blind && !*every && i%2 > 0 {
			continue
		}
		all := readTrap(t, file)
		all.counted = pattern == traps
		for _, tr := range all.inPlaces(blind) {
			on := slices.DeleteFunc(slices.Clone(trees), func(tree string) bool {
				return testroot.Versions[tree] < tr.since || tr.trees != nil && !slices.Contains(tr.trees, tree)
			})
			if !*every {
				on = tr.onePerExpectation(slices.Concat(on[i%max(1, len(on)):], on[:i%max(1, len(on))]))
			}
			for _, tree := range on {
				rows[tree] = append(rows[tree], row{tr, file})
			}
		}
	}
	return rows
}

// onePerExpectation returns the first tree of each group of trees with which the outcome of the trap is the same.
func (tr trap) onePerExpectation(trees []string) (on []string) {
	seen := map[string]bool{}
	for _, tree := range trees {
		if want := tr.want(testroot.Versions[tree]); !seen[want] {
			seen[want] = true
			on = append(on, tree)
		}
	}
	return on
}

// proveAll proves services on several versions of systemd, side by side in places of their own.
func proveAll(t *testing.T, pattern string, trees []string, blind bool) {
	rows := rowsOf(t, pattern, trees, blind)
	var side sync.WaitGroup
	for _, tree := range trees {
		queue := make(chan row, len(rows[tree]))
		for _, r := range rows[tree] {
			queue <- r
		}
		close(queue)
		for range lanes(trees) {
			side.Go(func() {
				t.Run(tree, func(t *testing.T) {
					places := map[bool]*place.Place{} // by whether they are trusted
					for r := range queue {
						where := places[r.trusted]
						if where == nil || r.alone {
							where = bootAs(t, tree, r.trusted)
						}
						if !r.alone {
							places[r.trusted] = where
						}
						t.Run(r.name(r.file), func(t *testing.T) { r.test(t, tree, where, blind) })
					}
				})
			})
		}
	}
	side.Wait()
}

// A trap is a service, what it needs, and the expected outcome of its proof. Its file has these parts:
//
//   - NAME.service and the like are units.
//   - trap.toml is the profile, whose first unit is proven.
//   - A part with a slash in its name is a file below /.
//   - expect is the outcome; expect-VERSION is the outcome with this version of systemd and older ones, down to the
//     next older part of that name.
//   - untrusted or untrusted-VERSION is the outcome in a place whose root is not trusted, if it differs; expect is then
//     the outcome in a trusted place.
//   - trusted says why the trap is proven only in a trusted place, and alone why in a place of its own.
//   - since is the first version of systemd that has what the service needs; trees are the trees that have it.
//   - launches is how many launches the proof may take.
//   - unnamed says why the refusals of the kernel do not name exactly the culprit.
type trap struct {
	units, files map[string]string
	profile      string
	since        int
	trees        []string // that have what it needs; nil = all
	counted      bool     // the number of launches is limited by what breaks it
	most         int      // the limit of launches that its file names; 0 = none
	freshPlaces  bool     // other places can be booted, for trials in which the service never ran
	program32    bool     // it runs a 32-bit program
	unnamed      bool     // the refusals of the kernel do not name exactly the culprit
	expect       map[int]string
	untrusted    map[int]string
	trusted      bool // it is proven in a trusted place
	alone        bool // no other trap is proven in its place
}

// inPlaces returns the trap once for each kind of place in which its outcome differs.
func (tr trap) inPlaces(blind bool) []trap {
	if len(tr.untrusted) == 0 {
		return []trap{tr}
	}
	other := tr
	other.expect = tr.untrusted
	tr.trusted = true
	if blind { // what the place withholds only the witness tells
		return []trap{tr}
	}
	return []trap{tr, other}
}

// name is the name of the file, with the kind of place if there are two.
func (tr trap) name(file string) string {
	name := strings.TrimSuffix(filepath.Base(file), ".txtar")
	if tr.trusted {
		name += "-trusted"
	}
	return name
}

func readTrap(t testing.TB, file string) trap {
	t.Helper()
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	trap := trap{
		units:     map[string]string{},
		files:     map[string]string{},
		expect:    map[int]string{},
		untrusted: map[int]string{},
	}
	for _, f := range archive.Files {
		text := string(f.Data)
		name, version, _ := strings.Cut(f.Name, "-")
		switch {
		case f.Name == "trap.toml":
			trap.profile = text
		case f.Name == "since":
			trap.since = number(t, strings.TrimSpace(text))
		case f.Name == "launches":
			trap.most = number(t, strings.TrimSpace(text))
		case f.Name == "trees":
			trap.trees = strings.Fields(text)
		case f.Name == "unnamed":
			trap.unnamed = true
		case f.Name == "again":
			trap.freshPlaces = true
		case name == "expect":
			trap.expect[number(t, cmp.Or(version, "999"))] = text
		case f.Name == "trusted":
			trap.trusted = true
		case f.Name == "program32":
			trap.program32 = true
		case f.Name == "alone":
			trap.alone = true
		case name == "untrusted":
			trap.untrusted[number(t, cmp.Or(version, "999"))] = text
		case strings.Contains(f.Name, "/"):
			trap.files["/"+f.Name] = text
		default:
			trap.units["/usr/lib/systemd/system/"+f.Name] = text
		}
	}
	return trap
}

func number(t testing.TB, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// runs32 reports whether this kernel runs programs for the 32-bit mode of the processor; some virtual machines do not.
func runs32() bool {
	dir, err := os.MkdirTemp("", "temper-")
	if err != nil {
		return true
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "program")
	if err := os.WriteFile(name, elf32.Program("/"), 0o755); err != nil {
		return true
	}
	return !errors.Is(exec.Command(name).Run(), unix.ENOEXEC)
}

// want is the expected outcome with a version of systemd.
func (tr trap) want(version int) string {
	if tr.program32 && !runs32() {
		return "" // without hardening the kernel refuses it too
	}
	best := 999
	for until := range tr.expect {
		if version <= until && until < best {
			best = until
		}
	}
	return tr.expect[best]
}

// test proves the trap, and compares the outcome and the number of launches with what is expected.
func (tr trap) test(t *testing.T, tree string, where *place.Place, blind bool) {
	if tr.freshPlaces && blind {
		t.Log("the witness does nothing for it that it does not for others, and each trial boots a place")
		return
	}
	o := harness.Options{WithoutWitness: blind, Progress: func(s string) { t.Log(s) }}
	if tr.freshPlaces {
		root := testroot.Path(t, tree)
		o.NewPlace = func(ctx context.Context) (*place.Place, error) {
			where, err := bootPlace(ctx, root, tr.trusted)
			if err != nil {
				return nil, err
			}
			return where, tr.install(where)
		}
	}
	v := tr.prove(t, where, harness.Prove, o)
	if diff := gocmp.Diff(tr.want(where.SystemdVersion()), outcome(v)); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, v.Reason)
	}
	if tr.most > 0 && !blind && v.Trials > tr.most {
		t.Errorf("%d launches, want at most %d", v.Trials, tr.most)
	}
	if most := tr.launches(t, where, v, blind); tr.counted && v.Trials > most {
		t.Errorf("%d launches, want at most %d", v.Trials, most)
	}
	for _, l := range v.LeftOut {
		t.Logf("left out: %s=: %s", l.Directive, l.Reason)
	}
	for _, a := range v.Advisories { // a stand-in is asked where the service has ended
		if strings.Contains(a.Text, "no process of the service could be asked") {
			t.Error(a.Text)
		}
	}
	for _, d := range v.Demotions {
		if len(d.Evidence) == 0 || d.Reason == "" {
			t.Errorf("%s= was demoted without a reason", d.Directive)
		}
	}
	left(t, where)
}

// A prover is harness.Prove, or another way to search.
type prover func(context.Context, harness.Options) (verdict.Verdict, error)

// prove installs the trap in a place, proves it and removes it.
func (tr trap) prove(t testing.TB, where *place.Place, how prover, o harness.Options) verdict.Verdict {
	if err := tr.install(where); err != nil {
		t.Fatal(err)
	}
	for _, files := range []map[string]string{tr.units, tr.files} {
		for name := range files {
			defer remove(t, where.Root(), name)
		}
	}
	set := library(t)
	p := tr.load(t, set)
	o.Place, o.Profiles, o.Profile, o.Unit = where, set, p, p.Units[0]
	v, err := how(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (tr trap) install(where *place.Place) error {
	for _, files := range []map[string]string{tr.units, tr.files} {
		for name, text := range files {
			if err := where.WriteFile(name, []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func (tr trap) load(t testing.TB, set *profiles.Set) *profiles.Profile {
	t.Helper()
	toml := filepath.Join(t.TempDir(), "trap.toml")
	if err := os.WriteFile(toml, []byte(tr.profile), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := profiles.LoadFile(toml, set)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// launches is how many launches a proof may take: two for a service that survives everything, 2 + 2k for k culprits
// that the witness names, and 3 + k + 2·k·log2(n) for k culprits among n candidates without evidence. What breaks the
// service by one thing that all of it does is one culprit. n counts each value of a directive, and each name that a
// directive refuses and could allow: the search may find any of them.
func (tr trap) launches(t testing.TB, where *place.Place, v verdict.Verdict, blind bool) int {
	k, n := culprits(v), 0
	for _, s := range tr.load(t, library(t)).Service {
		if d, ok := directive.Lookup(s.Name); ok && d.Since <= where.SystemdVersion() {
			n += 1 + len(
				d.Exceptions(s.Values, where.SystemdVersion()),
			) + len(
				d.Weaker(s.Values, where.SystemdVersion()),
			)
		}
	}
	idle := strings.Count(outcome(v), ": no effect\n")
	switch {
	case k == 0:
		return 2 + min(idle, 1) // without what has no effect it is launched once more
	case !blind && !tr.unnamed:
		return 2 + 2*k
	}
	return 3 + k + int(2*float64(k)*math.Log2(float64(n)))
}

// culprits counts the demotions of a verdict, and those with one cause once.
func culprits(v verdict.Verdict) int {
	alone := slices.DeleteFunc(slices.Clone(v.Demotions), func(d verdict.Demotion) bool {
		return slices.ContainsFunc(d.Evidence, func(e verdict.Evidence) bool { return e.Kind == "implied" })
	})
	return max(len(alone), min(len(v.Demotions), 1))
}

func remove(t testing.TB, root host.Root, name string) {
	if err := root.Remove(name); err != nil {
		t.Error(err)
	}
}

// left lists what trials have left behind: units, and files of units.
func left(t testing.TB, where *place.Place) {
	t.Helper()
	r, err := where.Run(
		t.Context(),
		place.Command{Args: []string{"systemctl", "list-units", "--all", "--plain", "--no-legend", "temper-trial-*"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	if r.Stdout != "" {
		t.Errorf("units are left:\n%s", r.Stdout)
	}
	files, err := filepath.Glob(where.Root().Dir() + "/run/systemd/system/temper-trial-*")
	if err != nil || len(files) > 0 {
		t.Errorf("files are left: %v %v", files, err)
	}
}

// outcome is a verdict in the notation of testdata/traps: the demotions and the directives without effect, sorted. Most
// traps only greet, so they are started at most.
func outcome(v verdict.Verdict) string {
	if !v.Works() {
		return v.Result + "\n"
	}
	var lines []string
	for _, d := range v.Demotions {
		from := cmp.Or(d.From, "nothing")
		lines = append(
			lines,
			fmt.Sprintf(
				"%s: %s -> %s\n",
				d.Directive,
				strings.ReplaceAll(from, "\n", "; "),
				strings.ReplaceAll(d.To, "\n", "; "),
			),
		)
	}
	for _, l := range v.LeftOut {
		if strings.HasPrefix(l.Reason, "has no effect here") {
			lines = append(lines, l.Directive+": no effect\n")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// otherwise are the directives for which no trap has a demotion by themselves, with the reason.
var otherwise = map[string]string{
	"ReadOnlyPaths":       "the trap read-only-paths gets an exception of ReadWritePaths=",
	"RootDirectory":       "the trap root-directory-set gets an exception of BindReadOnlyPaths=",
	"RestrictFileSystems": "its trap shows that it has no effect in a container",
	"KeyringMode": "the keys of the kernel are the machine's, and withheld from a place: no service that " +
		"uses them works there",
}

// TestTrapsCoverTheTable: for every directive that restricts something, there is a trap that breaks under it, and whose
// proof turns off only that directive or makes an exact exception from it.
func TestTrapsCoverTheTable(t *testing.T) {
	files, err := filepath.Glob(traps)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, file := range files {
		for _, expect := range readTrap(t, file).expect {
			for line := range strings.Lines(expect) {
				name, what, _ := strings.Cut(line, ": ")
				given[name] = given[name] || what != "no effect\n"
			}
		}
	}
	for _, d := range directive.All() {
		reason, excused := otherwise[d.Name]
		switch covered := given[d.Name] || given[exceptions(d)]; {
		case d.Restricts() && !covered && !excused:
			t.Errorf("no trap breaks under %s=", d.Name)
		case excused && covered:
			t.Errorf("%s= has a trap, but %s", d.Name, reason)
		}
	}
}

// exceptions is the name of the list that holds the exceptions from a directive.
func exceptions(d *directive.Directive) string {
	for _, e := range directive.All() {
		if e.With == d.Name {
			return e.Name
		}
	}
	return ""
}
