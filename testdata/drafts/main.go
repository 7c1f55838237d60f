// Drafts drafts a profile for each service of the library without showing it the profile that the library has, and runs
// the checks of the library on the result. Then it drafts profiles for the services of the packages in
// testdata/drafts/packages, as temper survey does. It says how good a draft is: see docs/drafts.md, which it writes.
//
// Usage: drafts [-list LIST] [NAME...], from the root of the source tree, as root. A NAME is a profile of the library or
// one of the packages. Each result is a file in dist/drafts: a run that is interrupted goes on where it was, and a NAME
// is tried again only after its file is removed. The trees are those of testdata/library on Debian 13.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"temper/draft"
	"temper/harness/batch"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

const (
	suite      = "trixie"
	groups     = "testdata/library"
	resultsDir = "dist/drafts"
	table      = "docs/drafts.md"
)

// A result is what became of one service.
type result struct {
	Unit    string      `json:"unit"`
	Profile string      `json:"profile"` // of the library
	Draft   draft.Draft `json:"draft"`
	Failed  string      `json:"failed,omitempty"` // why there is no draft, or why it could not be checked
	Library float64     `json:"library"`          // exposure with the profile of the library; 0 if it was not proven
	Checks  []string    `json:"checks"`           // of the library that ran without hardening
	Broken  []string    `json:"broken"`           // those of them that the draft does not pass
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	list := flag.String("list", "*", "use the tree of testdata/library/`LIST`.list alone, or packages")
	flag.Parse()
	if err := run(ctx, *list, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "drafts: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, list string, names []string) error {
	library, problems := profiles.Load(host.At("/nonexistent"), []string{profiles.Builtin})
	if err := errors.Join(problems...); err != nil {
		return err
	}
	if err := os.MkdirAll(resultsDir, 0o755); err != nil {
		return err
	}
	tried := tryAll(ctx, list, library, names)
	all, err := readResults()
	if err != nil {
		return errors.Join(tried, err)
	}
	_, units, err := packagesResults.All()
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(tried, err)
	}
	return errors.Join(tried, renameio.WriteFile(table, document(all, units), 0o644))
}

// tryAll tries what has no result yet.
func tryAll(ctx context.Context, list string, library *profiles.Set, names []string) error {
	lists, err := filepath.Glob(filepath.Join(groups, list+".list"))
	if err != nil || len(lists) == 0 && list != "packages" {
		return errors.Join(err, fmt.Errorf("no %s.list in %s: run this in the root of the source tree", list, groups))
	}
	for _, file := range lists {
		tree, err := makeTree(strings.TrimSuffix(filepath.Base(file), ".list") + "-" + suite)
		if err != nil {
			return err
		}
		if err := tryTree(ctx, tree, library, names); err != nil {
			return err
		}
	}
	if list == "*" || list == "packages" {
		return tryPackages(ctx, library, names)
	}
	return nil
}

// isWanted reports whether a name is one of those given, or none is.
func isWanted(name string, names []string) bool {
	return len(names) == 0 || slices.Contains(names, name)
}

func makeTree(name string) (string, error) {
	c := exec.Command("testdata/roots/make-root", name)
	c.Stderr = os.Stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("make-root %s: %w", name, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// tryTree tries the services of a tree that have no result yet, two at a time.
func tryTree(ctx context.Context, tree string, library *profiles.Set, names []string) error {
	root := host.At(tree)
	var group errgroup.Group
	group.SetLimit(2)
	for _, name := range batch.Startable(&unit.Loader{Root: root}, library) {
		u, err := (&unit.Loader{Root: root}).Load(name)
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		p, _ := library.For(u)
		if _, err = os.Stat(fileOf(name)); err != nil && isWanted(p.Name, names) {
			group.Go(func() error { return keep(ctx, root, name, library, p) })
		}
	}
	return group.Wait()
}

// keep tries a service and keeps its result.
func keep(ctx context.Context, root host.Root, name string, library *profiles.Set, p *profiles.Profile) error {
	r, err := try(ctx, root, name, library, p)
	if ctx.Err() != nil {
		return errors.New("interrupted; what was found is kept")
	}
	if err != nil {
		r.Failed = err.Error()
	}
	fmt.Fprintf(os.Stderr, "%s: %d of %d checks, %s\n", name, len(r.Checks)-len(r.Broken), len(r.Checks), r.Failed)
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return renameio.WriteFile(fileOf(name), append(data, '\n'), 0o644)
}

func fileOf(unit string) string { return filepath.Join(resultsDir, unit+".json") }

// try drafts a profile for a service, and runs the checks of the library with it.
func try(
	ctx context.Context, root host.Root, name string, library *profiles.Set, p *profiles.Profile,
) (r result, err error) {
	r = result{Unit: name, Profile: p.Name, Checks: []string{}, Broken: []string{}}
	shipped, err := filepath.Abs("profiles/verdicts")
	if err != nil {
		return r, err
	}
	if v, err := (verdict.Store{Dirs: []string{shipped}}).Get(name); err == nil { // some were never proven there
		r.Library = v.Exposure.After
	}
	say := func(text string) { fmt.Fprintf(os.Stderr, "%s: %s\n", name, text) }
	r.Draft, err = draft.Make(ctx, draft.Options{
		Unit: name, Profiles: library.Bases(), Progress: say,
		Open: func(ctx context.Context) (*place.Place, error) { return openSetUp(ctx, root, name, p) },
	})
	if err != nil {
		return r, err
	}
	drafted, err := profiles.ParseText(r.Draft.Profile, r.Draft.Text, library)
	if err != nil {
		return r, err
	}
	return r, r.check(ctx, root, drafted, p, say)
}

// openSetUp boots a machine on which the service is configured, as the setup of its profile does it: that is a part of
// the machine, not of what the profile knows of the service.
func openSetUp(ctx context.Context, root host.Root, unit string, p *profiles.Profile) (*place.Place, error) {
	where, err := place.Container(ctx, place.Options{Image: root.Dir()})
	if err != nil {
		return nil, err
	}
	if err := trial.SetUp(ctx, where, p, unit); err != nil {
		return nil, errors.Join(err, where.Close())
	}
	return where, nil
}

// mostTime is how long the checks of the library may take with a draft. Where finding out how the draft must be weakened
// takes longer, the draft passes none of them.
const mostTime = 20 * time.Minute

// check runs the checks of the library under the draft. A check that the draft breaks is one to which a demotion from
// the draft is owed.
func (r *result) check(
	ctx context.Context, root host.Root, drafted, p *profiles.Profile, say func(string),
) error {
	checked := *drafted
	checked.Checks, checked.Prove = p.Checks, p.Prove
	dir, err := os.MkdirTemp("", "temper-drafts-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	list, _, err := batch.Run(ctx, batch.Options{
		Root: root, Place: batch.Container, Units: []string{r.Unit}, Jobs: 1, Profile: &checked,
		Profiles: profiles.SetOf(&checked), Store: verdict.Store{Dirs: []string{dir}}, Report: steps{say},
	})
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		for _, c := range p.Checks {
			r.Checks, r.Broken = append(r.Checks, c.Name), append(r.Broken, c.Name)
		}
		return nil
	}
	if err != nil {
		return err
	}
	v := list[0]
	if !v.Works() || v.Use == nil {
		return fmt.Errorf("the checks of the library could not be run: %s: %s", v.Result, v.Reason)
	}
	owed := map[string]bool{}
	for _, d := range v.Demotions {
		for _, name := range d.Checks {
			owed[name] = true
		}
	}
	for _, c := range v.Use.Checks {
		if c.Result != verdict.Passed && c.Result != verdict.Failed {
			continue
		}
		r.Checks = append(r.Checks, c.Name)
		if c.Result == verdict.Failed || owed[c.Name] {
			r.Broken = append(r.Broken, c.Name)
		}
	}
	return nil
}

// steps print the steps of a proof.
type steps struct{ say func(text string) }

func (s steps) Step(_, text string)    { s.say(text) }
func (s steps) Result(verdict.Verdict) {}
func (s steps) Done(string)            {}
func (s steps) Warn(err error)         { s.say(err.Error()) }

// readResults reads all results, sorted by unit.
func readResults() ([]result, error) {
	files, err := filepath.Glob(filepath.Join(resultsDir, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []result
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var r result
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, r)
	}
	return all, nil
}
