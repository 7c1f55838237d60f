package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"temper/generator"
	"temper/harness/batch"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/output"
	"temper/internal/refusallog"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/profiles"
	"temper/review"
)

func (a *app) review() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "review [UNIT...]",
		Short: "Accept exceptions for what temper watch has seen refused, or not",
		Long: `review shows each refusal that temper watch has recorded and nobody has answered: how often and since
when, which directives refuse it, the lines of a profile that would allow it, what that does to the exposure, and what
whoever controls the service could do then. You accept the exception, ignore the refusal for good, or skip it.

Somebody who has taken a service over can be refused things on purpose, so that you allow them: accept what you know the
service to do. No exception is offered for a path that a service could exchange for a link to another one, for writing
where files decide what root does, for reading where passwords and keys lie, for a whole directory that others use too,
or for names that mean something else in a profile.

What you accept goes to /etc/temper/profiles.d/NAME.toml, with a comment that says when and why. That file extends the
profile of its name that a package brought; where there is one already, only the lines of the exceptions change. Then
the unit is proven, and temper apply makes it take effect.

Where there is no terminal it prints what accepting everything would change, as a diff, and changes nothing. With --yes
it accepts everything for which there is an exception. With --root it proves nothing.

Exit status: 0 nothing to answer, or answered; 1 there is something to answer and nobody to ask, or the proof found
something; 2 wrong usage; 3 could not run.`,
		Example: "  sudo temper review nginx\n  sudo temper review --format json",
		RunE:    func(c *cobra.Command, units []string) error { return a.runReview(c.Context(), yes, units) },
	}
	c.Flags().BoolVar(&yes, "yes", false, "accept all that can be accepted, and do not ask")
	return c
}

// reviewer asks about the refusals of one unit after the other.
type reviewer struct {
	*app
	store refusallog.Store
	in    *bufio.Reader // nil where nobody can be asked
	yes   bool
}

// errQuit says that the person wants to end.
var errQuit = errors.New("the review was ended")

func (a *app) runReview(ctx context.Context, yes bool, units []string) error {
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	a.warnAll(problems)
	r := reviewer{app: a, store: refusallog.Store{Root: a.host()}, yes: yes}
	if term.IsTerminal(int(os.Stdin.Fd())) && a.format == "text" && !yes {
		r.in = bufio.NewReader(os.Stdin)
	}
	named, err := r.unitsToReview(g, units)
	if err != nil {
		return err
	}
	changed, cases, err := r.all(g, named)
	if err != nil {
		return err
	}
	switch {
	case a.format == "json":
		if err := a.printer().JSON(cases); err != nil {
			return err
		}
	case len(cases) == 0:
		a.nothingToReview(ctx)
	}
	switch {
	case len(changed) > 0:
		return a.proveAccepted(ctx, changed)
	case len(cases) > 0 && r.in == nil:
		return exitError(exitFindings)
	}
	return nil
}

// nothingToReview says so, and where nothing is recorded, that too.
func (a *app) nothingToReview(ctx context.Context) {
	fmt.Fprintln(a.out, "Nothing was refused that nobody has answered.")
	if a.host().IsHost() && systemd.Booted() && !watching(ctx) {
		a.printer().Watching(false)
	}
}

// all reviews units until the person ends it. It returns those whose profiles have changed, and what was open.
func (r reviewer) all(g *generator.Generator, units []*unit.Unit) (changed []string, cases []review.Case, err error) {
	cases = []review.Case{}
	for _, u := range units {
		accepted, open, err := r.unit(g, u)
		cases = append(cases, open...)
		if len(accepted) > 0 && (r.in != nil || r.yes) {
			changed = append(changed, u.ID)
		}
		if errors.Is(err, errQuit) {
			return changed, cases, nil
		}
		if err != nil {
			return changed, cases, fmt.Errorf("%s: %w", u.ID, err)
		}
	}
	return changed, cases, nil
}

// unitsToReview are the units given, or all that have a log.
func (r reviewer) unitsToReview(g *generator.Generator, units []string) ([]*unit.Unit, error) {
	if len(units) == 0 {
		var err error
		if units, err = r.store.Units(); err != nil {
			return nil, hint.With(err, "sudo temper review")
		}
		units = slices.DeleteFunc(units, func(name string) bool {
			_, err := g.Units.Load(name)
			return err != nil // it was removed; its log stays until the package goes
		})
	}
	return explain.FindUnits(g.Units, units, "temper review")
}

// unit reviews the refusals of one unit, and returns what was accepted and what was open.
func (r reviewer) unit(g *generator.Generator, u *unit.Unit) (accepted, all []review.Case, err error) {
	log, err := r.store.Get(u.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p, isNamed := g.Profiles.For(u)
	if p == nil {
		return nil, nil, errors.New("no profile matches it any more")
	}
	in := review.Input{Generator: g, Unit: u, Profile: p, Named: isNamed}
	for _, refused := range log.Open() {
		c, err := in.Case(refused)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, c)
		answer, err := r.ask(c)
		if answer == refusallog.Accepted {
			accepted, in = append(accepted, c), in.Allowing(c)
		}
		if answer == refusallog.Ignored {
			if err := r.answer(u.ID, []review.Case{c}, answer); err != nil {
				return nil, nil, err
			}
		}
		if err != nil {
			return accepted, all, errors.Join(err, r.accept(p, u.ID, accepted))
		}
	}
	return accepted, all, r.accept(p, u.ID, accepted)
}

// ask says what a case is and returns the answer; "" leaves it open.
func (r reviewer) ask(c review.Case) (answer string, err error) {
	if r.format == "text" {
		r.printer().Case(output.Case{
			Unit: c.Unit, Refusal: c.Refusal, Lines: c.Lines, Exact: c.Exact, Gives: c.Gives, Before: c.Before,
			After: c.After, NotSo: c.NotSo,
		})
	}
	can := len(c.Settings) > 0
	if r.in == nil {
		if can && r.format == "text" || can && r.yes {
			return refusallog.Accepted, nil
		}
		return "", nil
	}
	return r.prompt(can)
}

// prompt asks until there is an answer.
func (r reviewer) prompt(can bool) (answer string, err error) {
	question := "[i]gnore for good, [s]kip, [q]uit? [s] "
	if can {
		question = "[a]ccept the exception, " + question
	}
	for {
		fmt.Fprint(r.out, question)
		word, err := r.in.ReadString('\n')
		if errors.Is(err, io.EOF) && word == "" {
			return "", errQuit
		}
		if word = strings.ToLower(strings.TrimSpace(word)); word == "" {
			return "", nil
		}
		if answer, known := answers[word[:1]]; known && (can || answer != refusallog.Accepted) {
			return answer, nil
		}
		if word == "q" || word == "quit" {
			return "", errQuit
		}
	}
}

// answers are what a person can type, by the first letter.
var answers = map[string]string{"a": refusallog.Accepted, "i": refusallog.Ignored, "s": ""}

// answer notes what a person answered.
func (r reviewer) answer(name string, cases []review.Case, answer string) error {
	return r.store.Update(name, func(l *refusallog.Log) {
		for _, c := range cases {
			for i := range l.Refusals {
				if l.Refusals[i].Key() == c.Refusal.Key() {
					l.Refusals[i].Answer = answer
				}
			}
		}
	})
}

// accept writes the exceptions to the profile of the administrator; without a terminal and --yes it only prints the
// difference.
func (r reviewer) accept(p *profiles.Profile, name string, cases []review.Case) error {
	if len(cases) == 0 {
		return nil
	}
	file := path.Join(profiles.SearchPath[0], p.Name+".toml")
	old, err := r.host().ReadAtMost(file, profiles.MaxSize)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := review.File(p, string(old), cases, time.Now())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if r.in == nil && !r.yes {
		_, err := r.out.Write(diff.Diff(file, old, file, []byte(text)))
		return err
	}
	if err := r.host().MkdirAll(path.Dir(file), 0o755); err != nil {
		return err
	}
	if err := r.host().WriteFile(file, []byte(text), 0o644); err != nil {
		return hint.With(err, "sudo temper review "+name)
	}
	r.printer().Talk("temper: %s has %d more", file, len(cases))
	return r.answer(name, cases, refusallog.Accepted)
}

// proveAccepted proves units for which a person has accepted something, and names what comes next.
func (a *app) proveAccepted(ctx context.Context, units []string) error {
	next := "sudo temper apply " + strings.Join(units, " ")
	if !a.host().IsHost() {
		a.printer().Talk("temper: prove it there: temper prove %s, then temper apply", strings.Join(units, " "))
		return nil
	}
	err := a.runProve(ctx, proveFlags{where: batch.Auto, jobs: 1}, units)
	if err == nil {
		a.printer().Talk("temper: to make it take effect: %s", next)
	}
	return err
}
