package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"temper/draft"
	"temper/generator"
	"temper/harness/batch"
	"temper/harness/place"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/inforce"
	"temper/internal/output"
	"temper/internal/plain"
	"temper/internal/unit"
	"temper/needs"
	"temper/profiles"
)

type draftFlags struct{ write, overwrite, all, trusted, view bool }

func (a *app) draft() *cobra.Command {
	var f draftFlags
	c := &cobra.Command{
		Use:   "draft [UNIT...]",
		Short: "Write a profile for a service that has none",
		Long: `draft launches a service in throwaway copies of this machine, first as its vendor wrote it, and records what
it uses. Then it asks for the strictest hardening that the bases have, with an exception for each of these needs, for
those that temper observe has seen and a person has accepted, and for what the vendor's unit grants by name. Trials find
the rest. It prints the shortest profile that says it: each exception with its reason, checks from what the service
answers, and what was not seen. A service whose program opens sessions for users, as sshd does, gets base/sessions:
whatever it is forbidden, each session is.

The profile has the mark draft = true: it is proven and shown, and never applied before a person has taken the mark
away. Read it first, since whoever has taken a service over can make it need anything, and add checks that use the
service as its clients do: what nobody does in a trial, temper cannot know that it breaks.

With --view the profile extends base/view: the service sees an empty file tree with what nearly every program reads, and
what it was seen to use, folded to the directories that are its own. Where it makes a file in a directory that others
use too, such as /var/lib, it is shown all of that, and the profile says so. Trials prove the list.

With --write it goes to /etc/temper/profiles.d, and is proven. With --all there is one for each service that runs, or in
another root starts at boot, and that no profile is about, but for those that are critical for the boot.

Exit status: 0 done, 1 for some services there is none, 2 wrong usage, 3 there is none, or it could not run.`,
		Example: "  sudo temper draft lldpd\n  sudo temper draft --all --write",
		RunE:    func(c *cobra.Command, units []string) error { return a.runDraft(c.Context(), f, units) },
	}
	c.Flags().BoolVar(&f.write, "write", false, "write each profile to /etc/temper/profiles.d, and prove it")
	c.Flags().BoolVar(&f.overwrite, "overwrite", false, "with --write: replace a file that is there")
	c.Flags().BoolVar(&f.all, "all", false, "draft one for every service that runs and has no profile")
	c.Flags().BoolVar(&f.view, "view", false,
		"let the service see only the files that it needs: an empty file tree with what it was seen to use")
	c.Flags().BoolVar(&f.trusted, "trusted", false,
		"trust the services as root: their containers have all that root has")
	return c
}

func (f draftFlags) check(units []string) error {
	switch {
	case f.overwrite && !f.write:
		return errors.New("--overwrite is for --write")
	case f.all && len(units) > 0:
		return errors.New("--all drafts for every service: want no units with it")
	case !f.all && len(units) == 0:
		return errors.New("want a unit, or --all")
	}
	return nil
}

func (a *app) runDraft(ctx context.Context, f draftFlags, units []string) error {
	if err := f.check(units); err != nil {
		return usageError{err}
	}
	set, problems := loadProfiles(a.host())
	a.warnAll(problems)
	units, err := a.unitsToDraft(ctx, f.all, set, units)
	if err != nil {
		return err
	}
	units, taken := a.withoutFile(f, set, units)
	if len(units) == 0 && taken > 0 {
		return draftsStatus(0, taken)
	}
	if err := place.Available(); err != nil {
		return err
	}
	if !f.trusted {
		if err := dropPrivilege(); err != nil {
			return err
		}
	}
	if err := place.RemoveLeftovers(ctx); err != nil { // leftovers do not disturb proofs
		a.warn(err)
	}
	drafts, failed := a.drafts(ctx, f, set, units)
	failed += taken
	if a.format == "json" {
		if err := a.printer().JSON(drafts); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted; nothing is left behind")
	}
	if err := a.proveDrafts(ctx, f, drafts); err != nil {
		return err
	}
	return draftsStatus(len(drafts), failed)
}

// draftsStatus is the exit status after so many drafts, and so many services for which there is none.
func draftsStatus(drafts, failed int) error {
	switch {
	case failed > 0 && drafts == 0:
		return exitError(exitFailed)
	case failed > 0:
		return exitError(exitFindings)
	}
	return nil
}

// proveDrafts proves the drafts that were written, so that temper status and show tell of them. Where the base of the
// setting unprofiled applies to a service, its verdict is about that and stays.
func (a *app) proveDrafts(ctx context.Context, f draftFlags, drafts []draft.Draft) error {
	var written []string
	set, _ := loadProfiles(a.host()) // problems are told already
	loader := &unit.Loader{Root: a.host()}
	for _, d := range drafts {
		if d.File == "" {
			continue
		}
		u, err := loader.Load(d.Unit)
		if err != nil {
			return err
		}
		if p, _ := set.For(u); p != nil && !p.Draft {
			a.printer().Talk("temper: %s: %s applies to it until draft = true is taken out of %s", u.ID, p.Name, d.File)
			continue
		}
		written = append(written, u.ID)
	}
	if len(written) == 0 {
		return nil
	}
	return a.runProve(ctx, proveFlags{where: batch.Container, jobs: 1, trusted: f.trusted}, written)
}

// drafts makes the drafts, prints them and writes them. A service for which there can be none is no reason to stop.
func (a *app) drafts(
	ctx context.Context, f draftFlags, set *profiles.Set, units []string,
) (drafts []draft.Draft, failed int) {
	drafts = []draft.Draft{}
	progress := output.NewProgress(a.printer(), output.Work{Units: units, Jobs: 1})
	for _, name := range units {
		if ctx.Err() != nil {
			break
		}
		observed, err := needs.Store{Root: a.host()}.Get(name)
		if err != nil {
			progress.Warn(fmt.Errorf("what %s was seen to use does not count: %w", name, err))
		}
		d, err := draft.Make(ctx, draft.Options{
			Unit: name, Profiles: set, Observed: observed, Progress: func(text string) { progress.Step(name, text) },
			View: f.view,
			Open: func(ctx context.Context) (*place.Place, error) { return a.openContainer(ctx, f.trusted) },
		})
		progress.Done(name)
		if err == nil && f.write {
			d.File, err = a.writeDraft(d)
		}
		if err != nil {
			failed++
			if ctx.Err() == nil {
				a.warnWithHint(err)
			}
			continue
		}
		drafts = append(drafts, d)
		if !f.all && !f.write {
			progress.Say("%s", plain.Lines(strings.TrimSpace(d.Text)))
		}
		a.printer().Talk("temper: %s", draftSummary(d))
	}
	if f.all {
		a.printer().Talk("temper: %d drafts, %d services without one", len(drafts), failed)
	}
	return drafts, failed
}

// openContainer boots a copy of the root.
func (a *app) openContainer(ctx context.Context, trusted bool) (*place.Place, error) {
	wanted := place.Options{Trusted: trusted}
	if !a.host().IsHost() {
		wanted.Image = a.host().Dir()
	}
	return place.Container(ctx, wanted)
}

// draftSummary says in a line what became of a service.
func draftSummary(d draft.Draft) string {
	text := fmt.Sprintf("%s: exposure %.1f -> %.1f, %d exceptions, %d checks, %d launches in %.0f s: %s", d.Unit,
		d.Exposure.Before, d.Exposure.After, len(d.Exceptions), len(d.Checks), d.Launches, d.Seconds, d.Result)
	if d.File != "" {
		text += ", in " + d.File
	}
	return text
}

// unitsToDraft are the units given, or those without a profile that run.
func (a *app) unitsToDraft(
	ctx context.Context, all bool, set *profiles.Set, units []string,
) ([]string, error) {
	if !all {
		known, err := explain.FindUnits(&unit.Loader{Root: a.host()}, units, "sudo temper draft")
		if err != nil {
			return nil, err
		}
		units = nil
		for _, u := range known {
			if unit.IsTemplate(u.ID) {
				return nil, usageError{fmt.Errorf("%s is a template: want an instance of it", u.ID)}
			}
			units = append(units, u.ID)
		}
		return units, nil
	}
	g, problems, err := a.generator()
	if err != nil {
		return nil, err
	}
	g.Profiles = set.WithoutFallback() // the base of the setting unprofiled is no profile of a service
	m, done := a.machine(ctx)
	defer done()
	services, more := inforce.List(ctx, g, m)
	a.warnAll(append(problems, more...))
	var critical []string
	for _, s := range services {
		switch {
		case s.State != inforce.NoProfile:
		case generator.IsCritical(s.Unit):
			critical = append(critical, s.Unit)
		default:
			units = append(units, s.Unit)
		}
	}
	if len(critical) > 0 {
		a.printer().Talk("temper: left out, since they are critical for the boot: %s; name one to draft it",
			strings.Join(critical, ", "))
	}
	return units, nil
}

// fileOf is where the draft for a unit is written.
func fileOf(unit string) string {
	return path.Join(profiles.SearchPath[0], draft.ProfileName(unit)+".toml")
}

// withoutFile leaves out the units whose draft could not be written, before anything is launched for it, and counts
// them.
func (a *app) withoutFile(f draftFlags, set *profiles.Set, units []string) (free []string, taken int) {
	if !f.write {
		return units, 0
	}
	for _, name := range units {
		if err := a.mayWrite(name, set, f.overwrite); err != nil {
			a.warnWithHint(fmt.Errorf("%s: %w", name, err))
			taken++
			continue
		}
		free = append(free, name)
	}
	return free, taken
}

// mayWrite returns why the file for the draft of a unit is not to be written; nil if it may be.
func (a *app) mayWrite(unit string, set *profiles.Set, overwrite bool) error {
	file := fileOf(unit)
	_, err := a.host().Lstat(file)
	switch other, taken := set.Get(draft.ProfileName(unit)); {
	case err == nil && !overwrite:
		return hint.With(fmt.Errorf("%s is there", file),
			"read it, then: sudo temper draft --write --overwrite "+unit)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err != nil && taken && !strings.HasPrefix(other.Path, "/etc/"):
		return fmt.Errorf("%s would hide the profile %s", file, other.Path)
	}
	return nil
}

// writeDraft writes a draft to the profiles of the administrator, and returns the file.
func (a *app) writeDraft(d draft.Draft) (file string, err error) {
	file = fileOf(d.Unit)
	if err := a.host().MkdirAll(path.Dir(file), 0o755); err != nil {
		return "", err
	}
	return file, a.host().WriteFile(file, []byte(d.Text), 0o644)
}
