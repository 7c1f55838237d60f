// Package renew proves again what has become stale on this machine, and lays ready what the next boot applies.
package renew

import (
	"context"
	"errors"
	"maps"
	"slices"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/verdict"
)

// rounds is how often it is looked again for what is stale: packages may change while units are proven.
const rounds = 3

// Run waits until no package manager is at work, lets prove prove the units that need it, and makes the result ready
// for the boot. It returns the last error of prove, after everything else is done.
func Run(ctx context.Context, prove func(ctx context.Context, units []string) error) error {
	root := host.At("")
	result := verdict.Store{Root: root}.Protect() // versions before this one let everybody read what services log
	tried := map[string]verdict.Fingerprint{}
	for range rounds {
		if err := waitForPackages(ctx, packageLocks); err != nil {
			return err
		}
		units, err := outdated(root, tried)
		if err != nil {
			return errors.Join(err, result)
		}
		if len(units) > 0 {
			result = errors.Join(result, prove(ctx, slices.Sorted(maps.Keys(units))))
			maps.Copy(tried, units)
		}
		if err := generator.MakeReady(root); err != nil {
			return errors.Join(err, result)
		}
		// temper-prove.path looks only while this is at rest: what has changed meanwhile is for another round.
		if units, err = outdated(root, tried); err != nil || len(units) == 0 {
			return errors.Join(err, result)
		}
	}
	return result
}

// outdated lists the units that are to be proven again, and as what. One that has been tried as it is is left out: a
// unit that nothing can be found out about stays without a fresh verdict.
func outdated(root host.Root, tried map[string]verdict.Fingerprint) (map[string]verdict.Fingerprint, error) {
	g, _, err := generator.New(
		root,
		ready.CommandLine(root.Dir()),
	) // what is wrong with single files the generator says
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

// lacksProof decides whether a unit is to be proven: its verdict is stale, or it has none and the settings want it
// proven.
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
