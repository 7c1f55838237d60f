package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"temper/internal/explain"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"temper/generator"
	"temper/harness"
	"temper/harness/batch"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/inforce"
	"temper/internal/output"
	"temper/internal/privilege"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

type proveFlags struct {
	image, where, profile, state string
	strict, noRegress, reload    bool
	noLogs                       bool
	tighten, trusted             bool
	jobs                         int
	all, verbose                 bool
	onlyProven                   bool // store a verdict only if the unit is proven
}

func (a *app) prove() *cobra.Command {
	var f proveFlags
	c := &cobra.Command{
		Use:   "prove [UNIT...]",
		Short: "Find by experiment what each unit survives, and record the verdict",
		Long: `prove launches each unit in a throwaway copy of this machine, or of another root, first as its vendor
wrote it and then hardened, runs the checks of its profile, and steps down only what breaks it. Where its first start
makes something to last, each further launch gets a copy in which it never ran. Without units it proves every installed
unit that a profile names.

With --tighten it then takes everything away that the profile names without need: paths, capabilities, address families,
system calls, devices. What is left over is reported with the line of the profile and the line that would be right; the
verdict is still about the profile as it stands. Not needed means: without it no check failed in this proof, nothing
looked different from the baseline, and the kernel refused the service nothing more. What the checks do not do, and
another configuration of the service, may need it all the same. Where the kernel has no witness, only checks and the
baseline tell.

The root of a container has no rights on this machine, and neither real time, locked memory nor raw devices. What would
refuse the service one of these is left out, since nobody can see what it breaks; where the service does not even start,
the verdict is inconclusive. With --trusted its containers have these: use it for services that you trust as you trust
root.

A check that fails alike in two launches without hardening is set aside: the machine is configured otherwise than its
writer thought. A check that lacks what it needs does not run. What is left decides: "proven (3 of 6 checks)". A service
that nothing used is only started, which is not applied unless temper.toml or its profile says so.

Exit status: 0 all proven (demotions included), or started where that is enough; 1 on a unit that is only started, with
--strict on any demotion, on a check that did not run or on more exposure than the profile allows, with --no-regress on
a weaker result than the stored one, or with --tighten on a profile that is looser than necessary; 2 wrong usage; 3 a
service that does not run without hardening, or nothing could be decided.`,
		Example: "  sudo temper prove nginx.service\n  sudo temper prove --image /srv/trees/trixie --state ./verdicts",
		RunE:    func(c *cobra.Command, units []string) error { return a.runProve(c.Context(), f, units) },
	}
	f.define(c.Flags())
	return c
}

// define makes the command line set f.
func (f *proveFlags) define(flags *pflag.FlagSet) {
	flags.StringVar(&f.image, "image", "",
		"boot a copy of the root `DIR` instead of this machine's; verdicts go there")
	flags.StringVar(&f.where, "place", batch.Auto, "where trials run: `auto|host|container`")
	flags.BoolVar(&f.all, "all", false,
		"prove every service that a profile names or matches by a pattern and that may be tried")
	flags.BoolVar(&f.verbose, "verbose", false, "print long lists whole, and what is applied")
	flags.BoolVar(&f.trusted, "trusted", false,
		"trust the services as root: their containers have all that root has")
	flags.StringVar(&f.profile, "profile", "", "use the profile in `FILE`")
	flags.StringVar(&f.state, "state", "", "keep verdicts in `DIR`")
	flags.BoolVar(&f.noLogs, "no-logs", false, "print and keep nothing that a service logs or answers")
	flags.IntVar(&f.jobs, "jobs", 1, "prove `N` units side by side, each in a place of its own")
	flags.BoolVar(&f.reload, "reload", false, "make this machine's systemd apply the verdicts at once")
	flags.BoolVar(&f.strict, "strict", false, "fail on any demotion, any check that did not run, and over the exposure that the profile allows")
	flags.BoolVar(&f.tighten, "tighten", false,
		"report what the profile allows and this proof never needed; fail on any")
	flags.BoolVar(&f.noRegress, "no-regress", false,
		"fail on a result that is weaker than the stored one; keep the stored one")
}

// options are the options of a batch that flags alone decide.
func (f proveFlags) options() batch.Options {
	return batch.Options{
		Place: f.where, Trusted: f.trusted, Jobs: f.jobs, Tighten: f.tighten, Strict: f.strict,
		NoRegress: f.noRegress, OnlyProven: f.onlyProven, NoLogs: f.noLogs,
	}
}

func (a *app) runProve(ctx context.Context, f proveFlags, units []string) error {
	root := a.host()
	if f.image != "" {
		root = host.At(f.image)
	}
	if err := f.check(root, units); err != nil {
		return err
	}
	set, problems := loadProfiles(root)
	bad := a.warnAll(problems)
	p, err := profileFlag(f.profile, set)
	if err != nil {
		return err
	}
	store, err := stateStore(root, f.state)
	if err != nil {
		return err
	}
	if err := a.completeNames(root, units); err != nil {
		return err
	}
	if f.all {
		units, err = a.everyService(root, set, p)
	} else {
		units, err = unitsToProve(root, store, set, p, units)
	}
	if err != nil {
		return err
	}
	o := f.options()
	o.Root, o.Units, o.Profiles, o.Profile, o.Store = root, units, set, p, store
	err = a.proveAll(ctx, f, o)
	if err == nil && bad {
		err = exitError(exitFindings)
	}
	return err
}

// completeNames completes the names of units, and refuses those that do not exist. A report for other programs has the
// result of each unit, also of one that does not exist.
func (a *app) completeNames(root host.Root, units []string) error {
	known, err := explain.FindUnits(&unit.Loader{Root: root}, units, "sudo temper prove")
	if err != nil && a.format == "text" {
		return err
	}
	for i, name := range units {
		units[i] = explain.ServiceName(name)
		if err == nil {
			units[i] = known[i].Name
		}
	}
	return nil
}

// proveAll proves units, prints the results and, with --reload, makes them take effect.
func (a *app) proveAll(ctx context.Context, f proveFlags, o batch.Options) error {
	if !f.trusted { // the root of a trusted container has what this process may have
		if err := dropPrivilege(); err != nil {
			return err
		}
	}
	if o.Root.IsHost() && f.state == "" && f.where != batch.Host {
		a.noteGoodRuns(ctx)
	}
	printer := a.printer()
	printer.Verbose = f.verbose
	o.Report = output.NewProgress(printer, output.Work{Units: o.Units, Took: took(o.Store, o.Units), Jobs: o.Jobs})
	verdicts, outcome, err := batch.Run(ctx, o)
	if err == nil && outcome != batch.Clean {
		err = exitError(proveCodes[outcome])
	}
	if printErr := a.printer().Verdicts(verdicts); printErr != nil {
		return printErr
	}
	if f.state == "" {
		err = errors.Join(err, generator.MakeBootRecord(o.Root))
	}
	a.printer().ProofSummary(verdicts, f.takesEffect(o.Root))
	if f.reload && ctx.Err() == nil { // what was interrupted says so, and nothing else
		err = errors.Join(err, reload(ctx))
	}
	return err
}

// dropPrivilege gives up, once, what no proof needs: later there are threads that have less.
var dropPrivilege = sync.OnceValue(func() error {
	return errors.Join(privilege.Bound(privilege.Containers), privilege.Keep(privilege.Containers))
})

// took returns how long the last proofs of units took, in seconds.
func took(store verdict.Store, units []string) map[string]float64 {
	seconds := map[string]float64{}
	for _, name := range units {
		if v, err := store.Get(name); err == nil && v.Seconds > 0 {
			seconds[name] = v.Seconds
		}
	}
	return seconds
}

// takesEffect says when what is proven takes effect.
func (f proveFlags) takesEffect(root host.Root) output.When {
	switch {
	case f.state != "":
		return output.Never
	case root.IsHost():
		return output.WhenStarted
	}
	return output.AtNextBoot
}

// proveCodes are the exit codes of prove.
var proveCodes = map[batch.Outcome]int{batch.Clean: exitOK, batch.Findings: exitFindings, batch.Undecided: exitFailed}

// check returns an error for flags that contradict each other.
func (f proveFlags) check(root host.Root, units []string) error {
	switch {
	case f.reload && !root.IsHost():
		return usageError{errors.New("--reload is about this machine, not about an image")}
	case f.all && len(units) > 0:
		return usageError{errors.New("--all proves every service: want no units with it")}
	case f.jobs < 1:
		return usageError{fmt.Errorf("--jobs is %d, want 1 or more", f.jobs)}
	case !slices.Contains([]string{batch.Auto, batch.Host, batch.Container}, f.where):
		return usageError{fmt.Errorf("--place is %q, want auto, host or container", f.where)}
	case f.where == batch.Host && !root.IsHost():
		return usageError{errors.New("--place host and --image exclude each other")}
	}
	return nil
}

// stateStore is where verdicts are stored: in the root that is proven, unless --state names a directory.
func stateStore(root host.Root, state string) (verdict.Store, error) {
	if state == "" {
		return verdict.Store{Root: root}, nil
	}
	dir, err := filepath.Abs(state) // names in a root are absolute
	return verdict.Store{Dirs: []string{dir}}, err
}

// reload makes systemd on this machine run the generators again, which applies the verdicts.
func reload(ctx context.Context) error {
	here, err := place.Host(ctx)
	if err != nil {
		return err
	}
	defer here.Close()
	return harness.Reload(ctx, here)
}

func profileFlag(path string, set *profiles.Set) (*profiles.Profile, error) {
	if path == "" {
		return nil, nil
	}
	p, err := profiles.LoadFile(path, set)
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// everyService returns all services of a root that a profile, or any of the set, names or matches and that may be
// tried: no templates, nothing that temper leaves alone, and what belongs to systemd only if a profile names it.
func (a *app) everyService(root host.Root, set *profiles.Set, p *profiles.Profile) ([]string, error) {
	g, problems, err := generator.OfMachine(root)
	if err != nil {
		return nil, err
	}
	a.warnAll(problems)
	g.Profiles = set
	if p != nil {
		g.Profiles = profiles.SetOf(p)
	}
	units := inforce.MayBeProven(g)
	if len(units) == 0 {
		return nil, hint.With(errors.New("no profile names or matches a service that may be tried"),
			"temper prove UNIT --profile FILE")
	}
	return units, nil
}

// unitsToProve returns the units given. Without units it returns those that the profile names or, without a
// profile, those that any profile names.
func unitsToProve(
	root host.Root, store verdict.Store, set *profiles.Set, p *profiles.Profile, units []string,
) ([]string, error) {
	switch {
	case len(units) > 0:
	case p != nil:
		units = p.Units
	default:
		units = batch.Startable(&unit.Loader{Root: root}, set)
		units = slices.DeleteFunc(units, store.MayBeRevoked) // a person proves them by name
	}
	if len(units) == 0 {
		return nil, hint.With(
			errors.New("no profile names a unit that is installed"),
			"temper prove UNIT --profile FILE",
		)
	}
	if slices.ContainsFunc(units, func(n string) bool { return strings.ContainsAny(n, "*?[") }) {
		return nil, usageError{hint.With(errors.New("the profile has patterns: name units, or want all that match"),
			"temper prove --all --profile FILE")}
	}
	return units, nil
}
