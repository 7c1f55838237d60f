package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

type proveFlags struct {
	image, where, profile, state string
	strict, noRegress, reload    bool
}

func (a *app) prove() *cobra.Command {
	var f proveFlags
	c := &cobra.Command{
		Use:   "prove [UNIT...]",
		Short: "Find by experiment what each unit survives, and record the verdict",
		Long: `prove launches each unit in a throwaway copy of this machine, or of another root, first as its vendor wrote it and
then hardened, runs the checks of its profile, and steps down only what breaks it. Without units it proves every installed
unit that a profile names.

Exit status: 0 all proven (demotions included), 1 with --strict on any demotion or with --no-regress on a weaker result than
the stored one, 2 wrong usage, 3 a baseline that fails, or nothing could be decided.`,
		Example: "  sudo temper prove nginx.service\n  sudo temper prove --image /srv/trees/trixie --state ./verdicts",
		RunE:    func(c *cobra.Command, units []string) error { return a.runProve(c.Context(), f, units) },
	}
	c.Flags().StringVar(&f.image, "image", "", "boot a copy of the root `DIR` instead of this machine's; verdicts go there")
	c.Flags().StringVar(&f.where, "place", "auto", "where trials run: `auto|host|container`")
	c.Flags().StringVar(&f.profile, "profile", "", "use the profile in `FILE`")
	c.Flags().StringVar(&f.state, "state", "", "keep verdicts in `DIR`")
	c.Flags().BoolVar(&f.reload, "reload", false, "make this machine's systemd apply the verdicts at once")
	c.Flags().BoolVar(&f.strict, "strict", false, "fail on any demotion")
	c.Flags().BoolVar(&f.noRegress, "no-regress", false, "fail on a result that is weaker than the stored one; keep the stored one")
	return c
}

func (a *app) runProve(ctx context.Context, f proveFlags, units []string) error {
	root := a.host()
	if f.image != "" {
		root = host.Root(f.image)
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
	where, err := openPlace(ctx, f, root)
	if err != nil {
		return err
	}
	defer where.Close()
	if f.reload && !root.IsHost() {
		return usageError{errors.New("--reload is about this machine, not about an image")}
	}
	verdicts, err := a.proveAll(ctx, f, units, harness.Options{Place: where, Profiles: set, Profile: p}, root)
	if a.format == "json" {
		err = errors.Join(a.printJSON(verdicts), err)
	}
	if f.reload {
		err = errors.Join(err, reload(ctx))
	}
	if err == nil && bad {
		err = exitError(exitFindings)
	}
	return err
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
		if root.IsHost() && host.Booted() {
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
	o := place.Options{}
	if !root.IsHost() {
		o.Image = string(root)
	}
	return place.Container(ctx, o)
}

// proveAll proves units one by one and stores their verdicts. What goes wrong with one does not keep it from the others.
func (a *app) proveAll(ctx context.Context, f proveFlags, units []string, o harness.Options, root host.Root) ([]verdict.Verdict, error) {
	store := verdict.Store{Root: root}
	if f.state != "" {
		store = verdict.Store{Dirs: []string{f.state}}
	}
	verdicts := []verdict.Verdict{}
	worst := exitOK
	for _, name := range units {
		o.Unit = name
		o.Progress = a.progress(name)
		v, err := harness.Prove(ctx, o)
		if ctx.Err() != nil {
			return verdicts, errors.New("interrupted; nothing is left behind")
		}
		if err != nil {
			fmt.Fprintf(a.err, "temper: %s: %v\n", name, err)
			worst = exitFailed
			continue
		}
		a.clearProgress()
		verdicts = append(verdicts, v)
		if a.format == "text" {
			a.printVerdict(v)
		}
		code, err := a.keep(store, v, f)
		if err != nil {
			return verdicts, err
		}
		worst = max(worst, code)
	}
	if worst != exitOK {
		return verdicts, exitError(worst)
	}
	return verdicts, nil
}

// keep stores a verdict unless --no-regress forbids it, and says what it means for the exit code.
func (a *app) keep(store verdict.Store, v verdict.Verdict, f proveFlags) (int, error) {
	old, err := store.Get(v.Unit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.warn(fmt.Errorf("%w; it is replaced", err))
	}
	if f.noRegress && err == nil && weaker(v, old) {
		fmt.Fprintf(a.err, "temper: %s: exposure %.1f, was %.1f: the stored verdict is kept\n", v.Unit, v.Exposure.After, old.Exposure.After)
		return exitFindings, nil
	}
	if err := store.Put(v); err != nil {
		return exitFailed, err
	}
	switch {
	case v.Result != verdict.Proven:
		return exitFailed, nil
	case f.strict && len(v.Demotions) > 0:
		return exitFindings, nil
	}
	return exitOK, nil
}

// weaker reports whether a verdict promises less than an older one.
func weaker(v, old verdict.Verdict) bool {
	if old.Result != verdict.Proven {
		return false
	}
	return v.Result != verdict.Proven || v.Exposure.After > old.Exposure.After || len(v.Demotions) > len(old.Demotions)
}

// progress shows the steps of one unit: in place on a terminal, else one line each.
func (a *app) progress(unit string) func(string) {
	return func(text string) {
		if a.terminal() {
			fmt.Fprintf(a.err, "\r\x1b[K%s: %s", unit, text)
			return
		}
		fmt.Fprintf(a.err, "%s: %s\n", unit, text)
	}
}

func (a *app) clearProgress() {
	if a.terminal() {
		fmt.Fprint(a.err, "\r\x1b[K")
	}
}
