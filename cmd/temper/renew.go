package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/verdict"
)

// renew is what temper-prove.service runs. It is a verb of its own because it is for the machine, not for people: it waits
// for package managers, and a machine where nothing is stale is no error.
func (a *app) renew() *cobra.Command {
	return &cobra.Command{
		Use:   "renew",
		Short: "Prove again what has become stale",
		Long: `renew waits until no package manager is at work and proves again, in containers, each unit whose verdict has become
stale; with unproven = "prove" in temper.toml also those that were never proven. Running services are not touched: what was
found takes effect at their next start. Then it lays ready what the generator would decide now, so that the next boots only
look whether something has changed and copy it.

Exit status: as of temper prove; 0 where nothing is stale.`,
		Example: "  sudo systemctl start temper-prove.service",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.runRenew(c.Context()) },
	}
}

// rounds is how often renew looks again: packages may change while it proves.
const rounds = 3

func (a *app) runRenew(ctx context.Context) error {
	if !a.host().IsHost() {
		return usageError{errors.New("renew is about this machine, not about another root")}
	}
	var result error
	tried := map[string]verdict.Fingerprint{}
	for range rounds {
		if err := waitForPackages(ctx, packageLocks); err != nil {
			return err
		}
		units, err := a.outdated(tried)
		if err != nil {
			return errors.Join(err, result)
		}
		if len(units) > 0 {
			result = a.runProve(ctx, proveFlags{where: "container", reload: true, jobs: 1}, slices.Sorted(maps.Keys(units)))
			maps.Copy(tried, units)
		}
		if err := makeReady(a.host()); err != nil {
			return errors.Join(err, result)
		}
		// temper-prove.path looks only while this is at rest: what has changed meanwhile is for another round.
		if units, err = a.outdated(tried); err != nil || len(units) == 0 {
			return errors.Join(err, result)
		}
	}
	return result
}

// outdated lists the units that are to be proven again, and as what. One that has been tried as it is is left out: a unit that
// nothing can be found out about stays without a fresh verdict.
func (a *app) outdated(tried map[string]verdict.Fingerprint) (map[string]verdict.Fingerprint, error) {
	g, _, err := a.generator() // what is wrong with single files the generator says
	if err != nil {
		return nil, err
	}
	decisions, _ := g.Decisions()
	units := map[string]verdict.Fingerprint{}
	for _, d := range decisions {
		if !lacksProof(g, d) {
			continue
		}
		now := fingerprint(g, d)
		if was, ok := tried[d.Unit]; !ok || was != now {
			units[d.Unit] = now
		}
	}
	return units, nil
}

func lacksProof(g *generator.Generator, d generator.Decision) bool {
	switch {
	case d.Profile == nil || g.Switches.Off != "":
		return false
	case d.Verdict != nil:
		return d.Verdict.Stale
	default:
		return d.Named && g.Settings.Unproven == generator.Prove && d.Text != ""
	}
}

// fingerprint is that of a verdict that would be taken now; a unit of which none can be taken has none.
func fingerprint(g *generator.Generator, d generator.Decision) verdict.Fingerprint {
	u, err := g.Units.Load(d.Unit)
	if err != nil {
		return verdict.Fingerprint{}
	}
	now, err := g.Fingerprint(g.Input(u.Without(generator.Dropin), d.Profile, d.Named))
	if err != nil {
		return verdict.Fingerprint{}
	}
	return now
}

// packageLocks are files that package managers lock, by fcntl(2), while they change the machine: dpkg, apt, rpm.
var packageLocks = []string{
	"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", "/usr/lib/sysimage/rpm/.rpm.lock", "/var/lib/rpm/.rpm.lock",
}

// pacmanLock is there while pacman is at work.
const pacmanLock = "/var/lib/pacman/db.lck"

// waitForPackages waits until no package manager has been at work for a moment.
func waitForPackages(ctx context.Context, locks []string) error {
	const pause = 2 * time.Second
	for quiet := 0; quiet < 2; {
		quiet++
		if busy(locks) {
			quiet = 0
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

// busy reports whether somebody holds one of the locks. A lock that cannot be asked does not hold anything up.
func busy(locks []string) bool {
	if _, err := os.Lstat(pacmanLock); !errors.Is(err, fs.ErrNotExist) {
		return true
	}
	for _, name := range locks {
		f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		lock := unix.Flock_t{Type: unix.F_WRLCK}
		err = unix.FcntlFlock(f.Fd(), unix.F_GETLK, &lock)
		f.Close()
		if err == nil && lock.Type != unix.F_UNLCK {
			return true
		}
	}
	return false
}
