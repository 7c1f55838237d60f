package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"temper/generator"
	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// showTrials prints the log of every trial of the last proof of each unit.
func (a *app) showTrials(store verdict.Store, units []string) error {
	all := map[string][]verdict.Trial{}
	for _, name := range units {
		name = serviceName(name)
		trials, err := store.Trials(name)
		if errors.Is(err, fs.ErrNotExist) {
			return hint.With(fmt.Errorf("no trials of %s are kept", name), "sudo temper prove "+name)
		}
		if err != nil {
			return err
		}
		all[name] = trials
		if a.format == "text" {
			a.printTrials(name, trials)
		}
	}
	if a.format == "json" {
		return a.printJSON(all)
	}
	return nil
}

func (a *app) printTrials(name string, trials []verdict.Trial) {
	for _, t := range trials {
		end := "ok"
		if !t.OK {
			end = "failed"
		}
		fmt.Fprintf(a.out, "== %s, trial %d: %s, %.1f s\n", name, t.Number, end, t.Seconds)
		if t.Dropin == "" {
			fmt.Fprintln(a.out, "baseline, no drop-in")
		} else {
			fmt.Fprint(a.out, t.Dropin)
		}
		for _, e := range t.Failures {
			fmt.Fprintf(a.out, "failed: %s: %s\n", e.Kind, e.Text)
		}
		for _, e := range t.Warnings {
			fmt.Fprintf(a.out, "noticed: %s: %s\n", e.Kind, e.Text)
		}
		for _, r := range t.Refused {
			fmt.Fprintf(a.out, "refused: %s\n", r)
		}
		for _, l := range t.Log {
			fmt.Fprintf(a.out, "log: %s\n", l)
		}
		fmt.Fprintln(a.out)
	}
}

// reproduce prints the commands that put a demoted directive back by hand.
func (a *app) reproduce(store verdict.Store, units []string, demoted string) error {
	for _, name := range units {
		name = serviceName(name)
		v, err := store.Get(name)
		if errors.Is(err, fs.ErrNotExist) {
			return hint.With(fmt.Errorf("%s has no verdict", name), "sudo temper prove "+name)
		}
		if err != nil {
			return err
		}
		d, ok := demotionOf(v, strings.TrimSuffix(demoted, "="))
		if !ok {
			return hint.With(fmt.Errorf("%s= of %s was not demoted", demoted, name), "temper show "+name)
		}
		lines, err := a.before(v, d)
		if err != nil {
			return err
		}
		a.printReproduction(v, d, lines)
	}
	return nil
}

func demotionOf(v verdict.Verdict, name string) (verdict.Demotion, bool) {
	for _, d := range v.Demotions {
		if strings.EqualFold(d.Directive, name) {
			return d, true
		}
	}
	return verdict.Demotion{}, false
}

// before lists the assignments of a directive in the drop-in before its demotion, when it had been merged with what the unit
// sets: beside the unit's own lines those of the profile alone can mean something else.
func (a *app) before(v verdict.Verdict, d verdict.Demotion) ([]verdict.Applied, error) {
	lines := verdict.Demotion{To: d.From}.Lines()
	if of, known := directive.Lookup(d.Directive); !known || d.From == "" && !of.Restricts() || lines == nil {
		return nil, nil // a list of exceptions had none
	}
	loader := &unit.Loader{Root: a.host(), Version: v.Systemd}
	u, err := loader.Load(v.Unit)
	if err != nil {
		return nil, err
	}
	asked := &profiles.Profile{Name: v.Profile, Service: []profiles.Setting{{Name: d.Directive, Values: lines, Profile: v.Profile}}}
	plan := generator.NewPlan(generator.Input{Unit: u, Profile: asked, Named: true, Version: v.Systemd})
	if len(plan.Items) == 0 { // the unit has changed since
		return nil, hint.With(fmt.Errorf("%s= of %s: %s", d.Directive, v.Unit, plan.LeftOut[0].Reason), "sudo temper prove "+v.Unit)
	}
	return plan.Applied(), nil
}

// printReproduction prints a drop-in with everything that was proven and the directive as it was before its demotion. It takes
// the place of temper's own, with the line that starts the guard: nothing is to mend what is broken on purpose.
func (a *app) printReproduction(v verdict.Verdict, d verdict.Demotion, lines []verdict.Applied) {
	dir := "/run/systemd/system/" + v.Unit + ".d"
	file := dir + "/" + generator.Dropin
	fmt.Fprintf(a.out, "# %s= from %s to %s, because of:\n", d.Directive, short(d.From), short(d.To))
	for _, e := range d.Evidence {
		fmt.Fprintf(a.out, "#   %s: %s\n", e.Kind, e.Text)
	}
	fmt.Fprintf(a.out, "# This stops %s while it lasts: run it where that does no harm.\n", v.Unit)
	fmt.Fprintf(a.out, "sudo mkdir -p %s\nsudo tee %s <<'END'\n", dir, file)
	for line := range strings.Lines(cmp.Or(v.Dropin, "[Service]\n")) {
		if !strings.HasPrefix(line, d.Directive+"=") && !strings.HasPrefix(line, "#") {
			fmt.Fprint(a.out, line)
		}
	}
	for _, l := range lines {
		fmt.Fprintf(a.out, "%s=%s\n", l.Directive, strings.ReplaceAll(l.Value, "%", "%%"))
	}
	fmt.Fprintf(a.out, "END\nsudo systemctl daemon-reload\nsudo systemctl restart %[1]s; systemctl status %[1]s\njournalctl -u %[1]s -n 20\n", v.Unit)
	fmt.Fprintf(a.out, "# and back:\nsudo rm %s\nsudo systemctl daemon-reload\nsudo systemctl restart %s\n", file, v.Unit)
}
