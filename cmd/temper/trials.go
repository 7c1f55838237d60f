package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"temper/generator"
	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/verdict"
)

// showTrials prints the log of every trial of the last proof of each unit.
func (a *app) showTrials(units []string) error {
	all := map[string][]verdict.Trial{}
	for _, name := range units {
		name = serviceName(name)
		trials, err := verdict.Store{Root: a.host()}.Trials(name)
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
func (a *app) reproduce(units []string, demoted string) error {
	for _, name := range units {
		name = serviceName(name)
		v, err := verdict.Store{Root: a.host()}.Get(name)
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
		a.printReproduction(v, d)
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

// printReproduction prints a drop-in with everything that was proven and the directive as it was before its demotion. It takes
// the place of temper's own, with the line that starts the guard: nothing is to mend what is broken on purpose.
func (a *app) printReproduction(v verdict.Verdict, d verdict.Demotion) {
	dir := "/run/systemd/system/" + v.Unit + ".d"
	file := dir + "/" + generator.Dropin
	fmt.Fprintf(a.out, "# %s= from %s to %s, because of:\n", d.Directive, short(d.From), short(d.To))
	for _, e := range d.Evidence {
		fmt.Fprintf(a.out, "#   %s: %s\n", e.Kind, e.Text)
	}
	fmt.Fprintf(a.out, "# This stops %s while it lasts: run it where that does no harm.\n", v.Unit)
	fmt.Fprintf(a.out, "sudo mkdir -p %s\nsudo tee %s <<'END'\n", dir, file)
	for line := range strings.Lines(v.Dropin) {
		if !strings.HasPrefix(line, d.Directive+"=") && !strings.HasPrefix(line, "#") {
			fmt.Fprint(a.out, line)
		}
	}
	of, known := directive.Lookup(d.Directive)
	if empty := d.From == "" && known && of.Restricts(); empty || d.From != "" && d.From != verdict.Off { // a list of exceptions had none
		for line := range strings.SplitSeq(d.From, "\n") {
			fmt.Fprintf(a.out, "%s=%s\n", d.Directive, strings.ReplaceAll(line, "%", "%%"))
		}
	}
	fmt.Fprintf(a.out, "END\nsudo systemctl daemon-reload\nsudo systemctl restart %[1]s; systemctl status %[1]s\njournalctl -u %[1]s -n 20\n", v.Unit)
	fmt.Fprintf(a.out, "# and back:\nsudo rm %s\nsudo systemctl daemon-reload\nsudo systemctl restart %s\n", file, v.Unit)
}
