package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"temper/generator"
	"temper/harness"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

type proveFlags struct {
	image, where, profile, state string
	strict, noRegress, reload    bool
	tighten                      bool
	jobs                         int
}

func (a *app) prove() *cobra.Command {
	var f proveFlags
	c := &cobra.Command{
		Use:   "prove [UNIT...]",
		Short: "Find by experiment what each unit survives, and record the verdict",
		Long: `prove launches each unit in a throwaway copy of this machine, or of another root, first as its vendor wrote it and
then hardened, runs the checks of its profile, and steps down only what breaks it. Where its first start makes something to last,
each further launch gets a copy in which it never ran. Without units it proves every installed unit that a profile names.

With --tighten it then takes everything away that the profile names without need: paths, capabilities, address families,
system calls, devices. What is left over is reported with the line of the profile and the line that would be right; the
verdict is still about the profile as it stands. Not needed means: without it no check failed in this proof, nothing looked
different from the baseline, and the kernel refused the service nothing more. What the checks do not do, and another
configuration of the service, may need it all the same. Where the kernel has no witness, only checks and the baseline tell.

Exit status: 0 all proven (demotions included), 1 with --strict on any demotion or on more exposure than the profile
allows, with --no-regress on a weaker result than the stored one, or with --tighten on a profile that is looser than
necessary, 2 wrong usage, 3 a baseline that fails, or nothing could be decided.`,
		Example: "  sudo temper prove nginx.service\n  sudo temper prove --image /srv/trees/trixie --state ./verdicts",
		RunE:    func(c *cobra.Command, units []string) error { return a.runProve(c.Context(), f, units) },
	}
	c.Flags().StringVar(&f.image, "image", "", "boot a copy of the root `DIR` instead of this machine's; verdicts go there")
	c.Flags().StringVar(&f.where, "place", "auto", "where trials run: `auto|host|container`")
	c.Flags().StringVar(&f.profile, "profile", "", "use the profile in `FILE`")
	c.Flags().StringVar(&f.state, "state", "", "keep verdicts in `DIR`")
	c.Flags().IntVar(&f.jobs, "jobs", 1, "prove `N` units side by side, each in a place of its own")
	c.Flags().BoolVar(&f.reload, "reload", false, "make this machine's systemd apply the verdicts at once")
	c.Flags().BoolVar(&f.strict, "strict", false, "fail on any demotion, and over the exposure that the profile allows")
	c.Flags().BoolVar(&f.tighten, "tighten", false, "report what the profile allows and this proof never needed; fail on any")
	c.Flags().BoolVar(&f.noRegress, "no-regress", false, "fail on a result that is weaker than the stored one; keep the stored one")
	return c
}

func (a *app) runProve(ctx context.Context, f proveFlags, units []string) error {
	root := a.host()
	if f.image != "" {
		root = host.Root(f.image)
	}
	if f.reload && !root.IsHost() {
		return usageError{errors.New("--reload is about this machine, not about an image")}
	}
	if f.jobs < 1 {
		return usageError{fmt.Errorf("--jobs is %d, want 1 or more", f.jobs)}
	}
	set, problems := loadProfiles(root)
	bad := a.warnAll(problems)
	p, err := profileFlag(f.profile, set)
	if err != nil {
		return err
	}
	if units, err = a.unitsToProve(root, set, p, units); err != nil {
		return err
	}
	store, err := stateStore(root, f.state)
	if err != nil {
		return err
	}
	b := &batch{app: a, flags: f, root: root, options: harness.Options{Profiles: set, Profile: p, Tighten: f.tighten}, store: store}
	err = b.run(ctx, units)
	if printErr := a.printVerdicts(b.verdicts); printErr != nil {
		return printErr
	}
	if f.state == "" {
		err = errors.Join(err, makeReady(root))
	}
	if f.reload {
		err = errors.Join(err, reload(ctx))
	}
	if err == nil && bad {
		err = exitError(exitFindings)
	}
	return err
}

// stateStore is where verdicts are kept: in the root that was tried, unless the flag says otherwise.
func stateStore(root host.Root, state string) (verdict.Store, error) {
	if state == "" {
		return verdict.Store{Root: root}, nil
	}
	dir, err := filepath.Abs(state) // a root knows no working directory
	return verdict.Store{Dirs: []string{dir}}, err
}

// reload applies the verdicts to this machine.
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

// unitsToProve completes the names of units; without any they are those that the profile, or every profile, names.
func (a *app) unitsToProve(root host.Root, set *profiles.Set, p *profiles.Profile, units []string) ([]string, error) {
	for i, name := range units {
		units[i] = serviceName(name)
	}
	switch {
	case len(units) > 0:
	case p != nil:
		units = p.Units
	default:
		units = harness.Names(&unit.Loader{Root: root}, set)
	}
	if len(units) == 0 {
		return nil, hint.With(errors.New("no profile names a unit that is installed"), "temper prove UNIT --profile FILE")
	}
	if slices.ContainsFunc(units, func(n string) bool { return strings.ContainsAny(n, "*?[") }) {
		return nil, usageError{hint.With(errors.New("the profile has only globs"), "temper prove UNIT --profile FILE")}
	}
	return units, nil
}

// serviceName completes a unit name as systemctl(1) does.
func serviceName(name string) string {
	if strings.HasSuffix(name, ".service") {
		return name
	}
	return name + ".service"
}

// openPlace opens the place that the flags ask for. Auto is the host while this machine boots, when units are tried before
// their first start, and else the container.
func openPlace(ctx context.Context, f proveFlags, root host.Root) (*place.Place, error) {
	switch f.where {
	case "host":
		if !root.IsHost() {
			return nil, usageError{errors.New("--place host and --image exclude each other")}
		}
		return place.Host(ctx)
	case "auto":
		if root.IsHost() && systemd.Booted() {
			if here, err := place.Host(ctx); err == nil {
				if harness.Starting(here) {
					return here, nil
				}
				here.Close()
			}
		}
	case "container":
	default:
		return nil, usageError{fmt.Errorf("--place is %q, want auto, host or container", f.where)}
	}
	return container(ctx, root)
}

// container boots a copy of a root.
func container(ctx context.Context, root host.Root) (*place.Place, error) {
	o := place.Options{}
	if !root.IsHost() {
		o.Image = string(root)
	}
	return place.Container(ctx, o)
}

// weaker says in what a verdict is weaker than an older one, "" if in nothing.
func weaker(v, old verdict.Verdict) string {
	switch {
	case old.Result != verdict.Proven:
		return ""
	case v.Result != verdict.Proven:
		return fmt.Sprintf("%s, was %s", v.Result, old.Result)
	case v.Exposure.After > old.Exposure.After:
		return fmt.Sprintf("exposure %.1f, was %.1f", v.Exposure.After, old.Exposure.After)
	case len(v.Demotions) > len(old.Demotions):
		return fmt.Sprintf("demotions are %d, were %d", len(v.Demotions), len(old.Demotions))
	}
	return ""
}

// makeReady lays what was proven ready for the next boot.
func makeReady(root host.Root) error {
	return generator.MakeReady(root)
}
