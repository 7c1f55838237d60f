package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/coreos/go-systemd/v22/journal"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/harness/place/cgroup"
	"temper/harness/witness"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/refusallog"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/watch"
)

// watchService is the service that watches all the time.
const watchService = "temper-watch.service"

func (a *app) watch() *cobra.Command {
	var enable, disable bool
	c := &cobra.Command{
		Use:   "watch [UNIT...]",
		Short: "What the kernel refuses hardened services in production",
		Long: `watch reports what the kernel refuses the services that run hardened, or those given, and which
directive refuses it. A program in the kernel sees each system call of the machine as it ends, leaves at once where it
succeeded, and knows services by their cgroups; they are followed as they start and stop. Each new refusal is printed
and is one entry of the journal with the fields TEMPER_UNIT=, TEMPER_DIRECTIVE=, TEMPER_RESTRICTION=, TEMPER_SUBJECT=,
TEMPER_PROGRAM=, TEMPER_CALL= and TEMPER_COUNT=; further ones like it are counted in /var/lib/temper/refusals. What the
service was refused without hardening too, when it was proven last, is left out. A service that is refused very much is
reported in part: what came too fast is counted, and said.

It changes nothing: a service that somebody has taken over is refused things, too. temper show lists what a service was
refused, and temper review says what an exception would allow.

With --enable, temper-watch.service does this now and after each boot; every system call of the machine pays for it,
some hundred nanoseconds where it was measured, so that it is off until somebody turns it on. It needs Linux 5.8.

Exit status: 0 stopped, or turned on or off, 2 wrong usage, 3 could not run, as where the kernel refuses BPF.`,
		Example: "  sudo temper watch nginx\n  sudo temper watch --enable",
		RunE: func(c *cobra.Command, units []string) error {
			switch {
			case enable && disable || (enable || disable) && len(units) > 0:
				return usageError{errors.New("--enable and --disable stand alone: the service watches all units")}
			case enable || disable:
				return a.switchWatch(c.Context(), enable)
			}
			return a.runWatch(c.Context(), units)
		},
	}
	c.Flags().BoolVar(&enable, "enable", false, "let temper-watch.service watch, now and after each boot")
	c.Flags().BoolVar(&disable, "disable", false, "end that")
	return c
}

func (a *app) runWatch(ctx context.Context, units []string) error {
	if !a.host().IsHost() {
		return usageError{errors.New("watch is about this machine, not about another root")}
	}
	version, err := a.host().SystemdVersion()
	if err != nil {
		return err
	}
	named, err := explain.FindUnits(&unit.Loader{Version: version}, units, "temper watch")
	if err != nil {
		return err
	}
	unified, _, err := cgroup.Hierarchies()
	if err != nil {
		return err
	}
	o := watch.Options{Cgroups: unified, Ready: a.watchReady}
	for _, u := range named {
		o.Units = append(o.Units, u.ID)
	}
	m := watch.Machine{Files: host.At("/proc/1/root"), Version: version}
	if systemd.Booted() {
		if m.Place, err = place.Host(ctx); err != nil {
			return err
		}
		defer m.Place.Close()
		o.Starts = "/run/systemd/units"
	}
	o.Plans = m
	unlock, err := a.watchRecords(&o)
	if err != nil {
		return err
	}
	defer unlock()
	err = watch.Run(ctx, o)
	if errors.Is(err, witness.ErrUnsupported) {
		return hint.With(err, "it needs root, Linux 5.8 and bpf(2), which containers seldom have")
	}
	return err
}

// watchReady says that what runs is followed now.
func (a *app) watchReady() {
	_, _ = daemon.SdNotify(false, daemon.SdNotifyReady) // without a manager that waits there is nobody to tell
	if inJournal, _ := journal.StdoutIsJournalStream(); !inJournal {
		a.printer().Talk("temper: watching; Ctrl-C ends it")
	}
}

// watchRecords chooses where a watch reports to. Only one process at a time records: two would count everything twice.
func (a *app) watchRecords(o *watch.Options) (unlock func(), err error) {
	lines := watch.Lines{Out: a.out, Talk: a.err, JSON: a.format == "json"}
	if err := os.MkdirAll("/run/temper", 0o755); err != nil {
		return nil, err
	}
	unlock, err = host.Root{}.TryLock("/run/temper/watch.lock")
	if errors.Is(err, unix.EWOULDBLOCK) {
		a.printer().Talk("temper: another temper watch records already; this one only prints")
		o.Reporter = lines
		return func() {}, nil
	}
	if err != nil {
		return nil, hint.With(err, "sudo temper watch")
	}
	o.Log = &refusallog.Store{}
	o.Reporter = watch.All{lines, watch.Journal{}}
	if inJournal, _ := journal.StdoutIsJournalStream(); inJournal {
		o.Reporter = watch.Journal{}
	}
	return unlock, nil
}

// switchWatch turns the service on or off.
func (a *app) switchWatch(ctx context.Context, on bool) error {
	if !a.host().IsHost() {
		return usageError{errors.New("watch is about this machine, not about another root")}
	}
	manager, err := systemd.ConnectSystemBus(ctx)
	if err != nil {
		return err
	}
	defer manager.Close()
	if !on {
		if _, err := manager.StopUnit(ctx, watchService); err != nil && !errors.Is(err, systemd.ErrNotLoaded) {
			return err
		}
		if err := manager.Disable(ctx, watchService); err != nil {
			return err
		}
		a.printer().Talk("temper: %s is off; what it recorded stays", watchService)
		return nil
	}
	if err := manager.Enable(ctx, watchService); err != nil {
		return err
	}
	result, err := manager.StartUnit(ctx, watchService)
	if err == nil && result != systemd.Done {
		err = hint.With(fmt.Errorf("%s does not start: %s", watchService, result), "journalctl -u "+watchService)
	}
	if err != nil {
		return errors.Join(err, manager.Disable(ctx, watchService))
	}
	a.printer().Talk("temper: %s watches, now and after each boot", watchService)
	return nil
}

// watching reports whether the service runs.
func watching(ctx context.Context) bool {
	manager, err := systemd.ConnectSystemBus(ctx)
	if err != nil {
		return false
	}
	defer manager.Close()
	s, err := manager.LoadedService(ctx, watchService)
	return err == nil && s.Active == "active"
}
