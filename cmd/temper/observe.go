package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"temper/harness/witness"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/needs"
	"temper/needs/recorder"
)

type observeFlags struct {
	length                          time.Duration
	untilStopped, list, accept, yes bool
	forget                          bool
}

func (a *app) observe() *cobra.Command {
	var f observeFlags
	c := &cobra.Command{
		Use:   "observe UNIT",
		Short: "Record what a running service needs, without touching it",
		Long: `observe records what a service uses that a sandbox could refuse: the files that it writes and programs
that it executes, its files in home directories, /tmp and /proc, devices, capabilities, system calls, address families,
addresses, namespaces, real time, memory that it writes and executes. It records neither content nor arguments, and the
service does not notice. What is seen is kept in /var/lib/temper/needs, and merged with what was seen before, until the
command is interrupted.

Nothing of it counts until a person has accepted it, since whoever has taken the service over can make it need anything:
look at the list, and accept what the service should be able to do. Then a proof treats it as a check: a plan that would
refuse it gets the exact exception. So the unit is proven as soon as something is accepted, and temper apply makes that
take effect; with --root, or where no profile is about the unit, nothing is proven.

Exit status: 0 done, 2 wrong usage, 3 could not run, as where the kernel refuses BPF.`,
		Example: "  sudo temper observe nginx.service --for 1h\n  sudo temper observe nginx.service --accept",
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, units []string) error { return a.runObserve(c.Context(), f, units) },
	}
	c.Flags().DurationVar(&f.length, "for", 0, "stop after `TIME`, such as 90s or 1h")
	c.Flags().BoolVar(&f.untilStopped, "until-stopped", false, "stop when the service has stopped")
	c.Flags().BoolVar(&f.list, "list", false, "only print what is known")
	c.Flags().BoolVar(&f.accept, "accept", false, "ask for each need whether it is accepted")
	c.Flags().BoolVar(&f.yes, "yes", false, "with --accept: accept all of them")
	c.Flags().BoolVar(&f.forget, "forget", false, "remove all that was recorded and accepted")
	return c
}

func (f observeFlags) check() error {
	modes := 0
	for _, set := range []bool{f.list, f.accept, f.forget, f.length != 0 || f.untilStopped} {
		if set {
			modes++
		}
	}
	switch {
	case modes > 1:
		return errors.New("--list, --accept and --forget exclude each other, --for and --until-stopped")
	case f.length < 0:
		return fmt.Errorf("--for is %s, want a length of time", f.length)
	case f.yes && !f.accept:
		return errors.New("--yes is for --accept")
	}
	return nil
}

func (a *app) runObserve(ctx context.Context, f observeFlags, units []string) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	known, err := explain.FindUnits(&unit.Loader{Root: a.host()}, units, "sudo temper observe")
	if err != nil {
		return err
	}
	name, store := known[0].Name, needs.Store{Root: a.host()}
	if f.forget {
		err := store.Forget(name)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s was never observed", name)
		}
		return err
	}
	var record needs.Record
	if f.list || f.accept {
		record, err = store.Get(name)
	} else {
		record, err = a.record(ctx, f, store, name)
	}
	if err != nil {
		return hint.IfUnprivileged(err)
	}
	if !record.Observed() {
		return hint.With(fmt.Errorf("%s was never observed", name), "sudo temper observe "+name)
	}
	if f.accept {
		return a.acceptNeeds(ctx, f, store, record)
	}
	return a.printNeeds(record)
}

// record observes a service that runs on this machine.
func (a *app) record(ctx context.Context, f observeFlags, store needs.Store, name string) (needs.Record, error) {
	if !a.host().IsHost() {
		return needs.Record{}, usageError{errors.New("what runs can be observed on this machine only, not with --root")}
	}
	bus, err := systemd.ConnectSystemBus(ctx)
	if err != nil {
		return needs.Record{}, err
	}
	defer bus.Close()
	service, err := bus.Service(ctx, name)
	if err != nil {
		return needs.Record{}, err
	}
	if service.Cgroup == "" {
		return needs.Record{}, hint.With(fmt.Errorf("%s does not run", name), "sudo systemctl start "+name)
	}
	cgroup, err := recorder.Cgroup(service.Cgroup)
	if err != nil {
		return needs.Record{}, err
	}
	r := recorder.Recorder{Unit: name, Cgroup: cgroup, Root: a.host(), Store: store, Every: 5 * time.Second}
	if f.untilStopped {
		r.Every = time.Second
		r.Ended = func(ctx context.Context) (bool, error) { return isStopped(ctx, bus, name) }
	}
	until := "Ctrl-C ends it"
	if f.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.length)
		defer cancel()
		until = "for " + f.length.String()
	}
	r.Ready = func() { a.printer().Talk("temper: observing %s: %s", name, until) }
	record, err := r.Run(ctx)
	if errors.Is(err, witness.ErrUnsupported) {
		err = hint.With(err, "observation needs root and a kernel that permits BPF: Linux 5.8 or later, no lockdown")
	}
	return record, err
}

// isStopped reports whether a service neither runs nor is about to.
func isStopped(ctx context.Context, bus *systemd.Client, name string) (bool, error) {
	service, err := bus.LoadedService(ctx, name)
	if errors.Is(err, systemd.ErrNotLoaded) {
		return true, nil
	}
	return service.Active == "inactive" || service.Active == "failed", err
}

// printNeeds prints what is known of a unit.
func (a *app) printNeeds(r needs.Record) error {
	if a.format == "json" {
		return a.printer().JSON(r)
	}
	items := r.Items()
	accepted := 0
	for _, i := range items {
		mark := "  "
		if i.Accepted() {
			mark = "* "
			accepted++
		}
		a.printer().Say("%s%s\n      %s", mark, i.Text, i.Seen())
	}
	a.printer().Say("%s: observed since %s, %d needs, %d accepted (*)",
		r.Unit, r.Since.UTC().Format(time.DateOnly), len(items), accepted)
	if r.Lost > 0 {
		a.printer().Say("%d uses were lost, since they came too fast or could not be recorded", r.Lost)
	}
	if accepted < len(items) {
		a.printer().Talk("temper: what is not accepted does not count: sudo temper observe --accept %s", r.Unit)
	}
	return nil
}

// acceptNeeds accepts all needs, or those that a person accepts one by one, and proves the unit again: the proof that
// there is does not know them.
func (a *app) acceptNeeds(ctx context.Context, f observeFlags, store needs.Store, r needs.Record) error {
	if !f.yes && !term.IsTerminal(int(os.Stdin.Fd())) {
		return usageError{hint.With(errors.New("--accept asks at a terminal, and this is none"),
			"look at temper observe --list "+r.Unit+", then: temper observe --accept --yes "+r.Unit)}
	}
	accepted := r.Items()
	if f.yes {
		accepted = slices.DeleteFunc(accepted, needs.Item.Accepted)
	} else {
		accepted = a.askNeeds(r.Unit, accepted)
	}
	if len(accepted) > 0 {
		_, err := store.Update(r.Unit, func(stored *needs.Record) { // temper observe may have added to it meanwhile
			stored.Accept(func(n needs.Need) bool {
				return slices.ContainsFunc(accepted, func(i needs.Item) bool { return i.Has(n) })
			})
		})
		if err != nil {
			return err
		}
	}
	a.printer().Talk("temper: %s: %d accepted", r.Unit, len(accepted))
	if len(accepted) == 0 {
		return nil
	}
	g, problems, err := a.generator()
	if err != nil {
		return err
	}
	a.warnAll(problems)
	if u, err := g.Units.Load(r.Unit); err == nil {
		if p, _ := g.Profiles.For(u); p == nil {
			a.printer().Talk("temper: no profile is about %s: what was accepted counts as soon as one is", r.Unit)
			return nil
		}
	}
	return a.proveAccepted(ctx, []string{r.Unit})
}

// askNeeds asks a person about the needs that are not accepted yet, and returns those that are now.
func (a *app) askNeeds(unit string, items []needs.Item) (accepted []needs.Item) {
	answers := bufio.NewScanner(os.Stdin)
	for _, item := range items {
		if item.Accepted() {
			continue
		}
		a.printer().Talk("%s %s\n      %s", unit, item.Text, item.Seen())
		for answered := false; !answered; {
			fmt.Fprint(a.err, "      accept? [y]es, [n]o, [q]uit: ")
			if !answers.Scan() {
				return accepted
			}
			switch word := strings.ToLower(strings.TrimSpace(answers.Text())); word {
			case "y", "yes":
				accepted, answered = append(accepted, item), true
			case "n", "no", "":
				answered = true
			case "q", "quit":
				return accepted
			}
		}
	}
	return accepted
}
