package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"temper/generator"
	"temper/harness"
	"temper/harness/place"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// Where the guard keeps its notes and its way back.
const (
	startedDir = "/var/lib/temper/started" // a file for each unit that has started well under its verdict
	masksDir   = "/run/systemd/system"
	writtenDir = "/run/systemd/generator"
)

func (a *app) guard() *cobra.Command {
	return &cobra.Command{
		Use:   "guard [UNIT...]",
		Short: "Give a unit that does not start hardened its vendor's settings back",
		Long: `guard is what temper-guard@UNIT.service runs when a hardened unit has failed. If the unit failed while starting, has
never before started well with this hardening, and does start without it, then its verdict becomes broken and it keeps its
vendor's settings. Where temper.toml asks for hardening even without a proven verdict, that lasts until the next boot. In
every other case the hardening stays: a service that fails later is never softened.

A start lasts until the unit has been active for the settle time of its profile, one second if the profile does not say, as
in a proof: systemd calls a service of Type=simple active as soon as its program runs. What fails after that may have been
made to fail by whoever uses the service, and is not told from that. A service that takes longer to find out that it cannot
run needs a longer settle time, which the proof then waits for, too.

Without units it notes which hardened units have started well, and looks at those that are being started again and again, of
which systemd before version 254 tells nobody; temper-guard.service runs that after each boot.

Exit status: 0 the hardening stays, 1 a unit has its vendor's settings back, 2 wrong usage, 3 could not run.`,
		Example: "  sudo temper guard nginx.service\n  journalctl -u temper-guard@nginx",
		RunE:    func(c *cobra.Command, units []string) error { return a.runGuard(c.Context(), units) },
	}
}

func (a *app) runGuard(ctx context.Context, units []string) error {
	if !a.host().IsHost() {
		return usageError{errors.New("guard is about this machine, not about another root")}
	}
	here, err := place.Host(ctx)
	if err != nil {
		return err
	}
	defer here.Close()
	g, _, err := a.generator() // what is wrong with other files the generator has said
	if err != nil {
		return err
	}
	w := &warden{app: a, place: here, generator: g}
	var problems []error
	if len(units) == 0 {
		units, err = w.noteAll(ctx)
		problems = append(problems, err)
	}
	softened := false
	for _, name := range units {
		soft, err := w.guard(ctx, serviceName(name))
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
		softened = softened || soft
	}
	if err := errors.Join(problems...); err != nil || !softened {
		return err
	}
	return exitError(exitFindings)
}

// A warden decides about units that have failed.
type warden struct {
	*app
	place     *place.Place
	generator *generator.Generator
}

// A ward is a unit that has a drop-in of temper's.
type ward struct {
	decision generator.Decision
	unit     *unit.Unit // without that drop-in
	file     string     // of that drop-in
	dropin   string     // the text that is in force
	now      verdict.Fingerprint
}

// load reads what there is about a unit; ok is false where temper has written nothing for it.
func (w *warden) load(name string) (x ward, ok bool, err error) {
	u, err := w.generator.Units.Load(name)
	if err != nil {
		return x, false, err
	}
	at := slices.IndexFunc(u.Dropins, func(file string) bool {
		return strings.HasPrefix(file, writtenDir+"/") && filepath.Base(file) == generator.Dropin
	})
	if at < 0 {
		return x, false, nil
	}
	x.file = u.Dropins[at]
	text, err := os.ReadFile(x.file)
	if err != nil {
		return x, false, err
	}
	x.unit, x.dropin = u.Without(generator.Dropin), string(text)
	x.decision, err = w.generator.Decide(u)
	if err != nil || x.decision.Profile == nil || x.decision.Text == "" {
		return x, false, err
	}
	g := w.generator
	x.now, err = g.Fingerprint(g.Input(x.unit, x.decision.Profile, x.decision.Named))
	return x, err == nil, err
}

// guard decides about one unit that has failed, and reports whether it was softened.
func (w *warden) guard(ctx context.Context, name string) (bool, error) {
	x, ok, err := w.load(name)
	if err != nil {
		return false, err
	}
	if !ok {
		w.say("%s has no hardening that could be to blame", name)
		return false, nil
	}
	run, err := w.lastRun(ctx, name)
	if err != nil {
		return false, err
	}
	switch settle := x.decision.Profile.Prove.Settle; {
	case !run.failed:
		w.say("%s: nothing is known of a failure; its hardening stays", name)
	case run.started && run.lasted >= settle:
		w.say("%s failed %s after it had started; its hardening stays", name, run.lasted.Round(time.Millisecond))
		return false, w.note(x, run.begin)
	case w.noted(x):
		w.say("%s does not start, but it has started with this hardening before: the hardening stays", name)
	default:
		return w.soften(ctx, x, run)
	}
	return false, nil
}

// say tells the journal something that is in order.
func (w *warden) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// alarm tells it something that people should see: the prefix is the priority warning of sd-daemon(3).
func (w *warden) alarm(format string, args ...any) { fmt.Fprintf(w.err, "<4>"+format+"\n", args...) }

// soften starts a unit with its vendor's settings. Where it does not start so either, everything is put back.
func (w *warden) soften(ctx context.Context, x ward, run lastRun) (bool, error) {
	name := x.unit.ID
	undo, err := w.markBroken(x, run)
	if err != nil {
		return false, err
	}
	mask, err := w.withdraw(ctx, x)
	if err == nil {
		err = w.restart(ctx, name, x.decision.Profile.Prove.Settle)
	}
	if err == nil {
		w.alarm("%s does not start hardened (%s) and does start with its vendor's settings, which it keeps. "+
			"Its verdict is %s; when the cause is gone: temper prove %s", name, run.ended, verdict.Broken, name)
		return true, nil
	}
	err = errors.Join(err, undo())
	if mask != "" {
		err = errors.Join(err, os.Remove(mask))
	}
	err = errors.Join(err, harness.Reload(context.WithoutCancel(ctx), w.place)) // also where the guard was told to stop
	w.alarm("%s does not start with its vendor's settings either (%v): its hardening is not to blame and is back", name, err)
	return false, nil
}

// markBroken replaces the verdict; undo puts back what there was.
func (w *warden) markBroken(x ward, run lastRun) (undo func() error, err error) {
	v := verdict.Verdict{
		Unit: x.unit.ID, Profile: x.decision.Profile.Name, Place: "host", Systemd: w.generator.Version,
		Applied: x.decision.Plan.Applied(), Demotions: []verdict.Demotion{}, LeftOut: x.decision.Plan.LeftOut, Dropin: x.dropin,
	}
	if x.decision.Verdict != nil {
		v = *x.decision.Verdict
		v.Stale, v.StaleReason = false, ""
	}
	v.Unit = x.unit.ID // an instance has what was found out about its template
	v.Result, v.Fingerprint = verdict.Broken, x.now
	v.Reason = "did not start hardened on this machine: " + run.ended
	v.Advisories = run.evidence
	file := filepath.Join(verdict.Dirs[0], v.Unit+".json")
	old, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return os.Remove(file) }, w.generator.Store.Put(v)
	}
	if err != nil {
		return nil, err
	}
	return func() error { return renameio.WriteFile(file, old, 0o644) }, w.generator.Store.Put(v)
}

// withdraw makes systemd forget the drop-in. Where the settings ask for one even without a proven verdict, it is masked until
// the next boot; the name of the mask is returned.
func (w *warden) withdraw(ctx context.Context, x ward) (mask string, err error) {
	if err := harness.Reload(ctx, w.place); err != nil {
		return "", err
	}
	if _, err := os.Stat(x.file); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	mask = filepath.Join(masksDir, x.unit.ID+".d", generator.Dropin)
	if err := os.MkdirAll(filepath.Dir(mask), 0o755); err != nil {
		return "", err
	}
	if err := os.Symlink(os.DevNull, mask); err != nil {
		return "", err
	}
	return mask, harness.Reload(ctx, w.place)
}

// key identifies the hardening that a unit runs with: another verdict is another key.
func (x ward) key() string {
	return fmt.Sprintf("%s %s %s %d %s\n", x.now.Profile, x.now.Unit, x.now.Executable, x.now.Systemd, x.dropin)
}

func noteFile(name string) string { return filepath.Join(startedDir, name) }

// noted reports whether the unit has once started well with this hardening.
func (w *warden) noted(x ward) bool {
	data, err := os.ReadFile(noteFile(x.unit.ID))
	return err == nil && string(data) == x.key()
}

// note notes that it has: a run that began after the verdict was written was a hardened one.
func (w *warden) note(x ward, begin time.Time) error {
	if w.noted(x) || x.decision.Verdict == nil || !begin.After(w.written(x.decision.Verdict.Unit)) {
		return nil
	}
	if err := os.MkdirAll(startedDir, 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(noteFile(x.unit.ID), []byte(x.key()), 0o644)
}

// written is when the last verdict on a unit was stored.
func (w *warden) written(name string) (last time.Time) {
	for _, dir := range verdict.Dirs {
		if info, err := os.Stat(filepath.Join(dir, name+".json")); err == nil && info.ModTime().After(last) {
			last = info.ModTime()
		}
	}
	if last.IsZero() {
		return time.Now() // a verdict that has just gone: no run was under it
	}
	return last
}

// noteAll notes every hardened unit that has been up for as long as its profile wants, and returns those that have failed and
// will be started again.
func (w *warden) noteAll(ctx context.Context) (failing []string, err error) {
	names, err := w.hardened(ctx)
	problems := []error{err}
	for _, name := range names {
		x, ok, err := w.load(name)
		if err != nil || !ok {
			problems = append(problems, err)
			continue
		}
		if state, err := property[string](w, name, "SubState"); err == nil && state == "auto-restart" {
			failing = append(failing, name)
			continue
		}
		since, err := w.upSince(ctx, name)
		if err == nil && !since.IsZero() && time.Since(since) >= x.decision.Profile.Prove.Settle {
			err = w.note(x, since)
		}
		problems = append(problems, err)
	}
	return failing, errors.Join(problems...)
}

// hardened lists the units that have a drop-in of temper's, and for templates those of their instances that systemd knows.
func (w *warden) hardened(ctx context.Context) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(writtenDir, "*.service.d", generator.Dropin))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(filepath.Dir(file)), ".d")
		if !unit.IsTemplate(name) {
			names = append(names, name)
			continue
		}
		instances, err := w.known(ctx, strings.Replace(name, "@", "@*", 1))
		if err != nil {
			return names, err
		}
		names = append(names, instances...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
