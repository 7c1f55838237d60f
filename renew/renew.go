// Package renew proves the units of this machine whose verdicts have become stale, and writes the record of what the
// next boot applies.
//
// Call [Run].
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

// rounds is how often Run searches for stale verdicts: packages may change while units are proven.
const rounds = 3

// Run waits until no package manager is at work, calls prove with the units whose verdicts are stale or missing, and
// writes the record for the next boot. It goes on after errors of prove and returns them at the end.
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
		if err := generator.MakeBootRecord(root); err != nil {
			return errors.Join(err, result)
		}
		// temper-prove.path does not watch while its service runs: another round handles what has changed meanwhile.
		if units, err = outdated(root, tried); err != nil || len(units) == 0 {
			return errors.Join(err, result)
		}
	}
	return result
}

// outdated lists the units that must be proven, with their current fingerprints. It leaves out those that were tried
// with the same fingerprint: some units stay without a fresh verdict, since no proof of them succeeds.
func outdated(root host.Root, tried map[string]verdict.Fingerprint) (map[string]verdict.Fingerprint, error) {
	g, _, err := generator.New(root, ready.CommandLine(root.Dir())) // the generator reports errors in single files
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

// lacksProof decides whether a unit must be proven: its verdict is stale, or it has none and temper.toml asks for a
// proof.
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

// fingerprint returns the current fingerprint of a unit; the zero value if it cannot be computed.
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
