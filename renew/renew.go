// Package renew proves the units of this machine whose verdicts have become stale, and writes the record of what the
// next boot applies.
//
// Call [Run].
package renew

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/plain"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// A Machine is what proofs and their results act on.
type Machine interface {
	// Prove proves units, stores what was found and makes the manager read it.
	Prove(ctx context.Context, units []string) error
	// Restart starts a unit again if it runs, and reports whether it does.
	Restart(ctx context.Context, unit string) (bool, error)
}

// rounds is how often Run searches for stale verdicts: packages may change while units are proven.
const rounds = 3

// A run is one call of Run.
type run struct {
	root        host.Root
	machine     Machine
	tried       map[string]verdict.Fingerprint
	out, alarms io.Writer
}

// Run waits until no package manager is at work, has the units proven whose verdicts are stale or missing, and writes
// the record for the next boot. It writes to out when results take effect, and to alarms what people should do, with
// the prefix of a warning as in sd-daemon(3). It goes on after errors of proofs and returns them at the end.
func Run(ctx context.Context, m Machine, out, alarms io.Writer) error {
	r := run{host.At(""), m, map[string]verdict.Fingerprint{}, out, alarms}
	result := verdict.Store{Root: r.root}.Protect() // versions before this one let everybody read what services log
	for range rounds {
		if err := waitForPackages(ctx, packageLocks); err != nil {
			return errors.Join(err, result)
		}
		again, err := r.round(ctx, &result)
		if err != nil || !again {
			return errors.Join(err, result)
		}
	}
	return result
}

// round proves what is stale, and reports whether there is more now. What becomes of proofs is added to result.
func (r run) round(ctx context.Context, result *error) (again bool, err error) {
	before, err := r.answerRequest(ctx)
	if err != nil {
		return false, err
	}
	for name, s := range before {
		r.tried[name] = s.now
	}
	if len(before) > 0 {
		*result = errors.Join(*result, r.machine.Prove(ctx, slices.Sorted(maps.Keys(before))))
	}
	g, err := load(r.root)
	if err != nil {
		return false, err
	}
	decisions, _ := g.Decisions()
	*result = errors.Join(*result, r.tell(ctx, g.Settings, before, decisions), keepShipped(g, decisions))
	if err := generator.MakeBootRecord(r.root); err != nil {
		return false, err
	}
	// temper-prove.path does not watch while its service runs: another round handles what has changed meanwhile.
	units, err := r.answerRequest(ctx)
	return len(units) > 0, err
}

// needsProofFile is written by the generator where it sees that units are to be proven.
var needsProofFile = path.Join("/run/systemd/generator", generator.NeedsProofFile)

// A staleUnit is a unit that must be proven.
type staleUnit struct {
	decision generator.Decision
	now      verdict.Fingerprint // as what it is tried
}

// answerRequest removes the file by which the generator asks for proofs, and then lists what must be proven: what
// becomes stale later is asked for anew.
func (r run) answerRequest(ctx context.Context) (map[string]staleUnit, error) {
	if err := r.root.Remove(needsProofFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return r.unproven(ctx)
}

// unproven lists the units that must be proven: what a package says of them has to be confirmed on this machine, or
// they have no valid verdict. It leaves out those that were tried with the same fingerprint: some units
// stay without a fresh verdict, since no proof of them succeeds.
func (r run) unproven(ctx context.Context) (map[string]staleUnit, error) {
	g, err := load(r.root)
	if err != nil || g.Switches.Off != "" {
		return nil, err
	}
	decisions, _ := g.Decisions()
	stale := map[string]staleUnit{}
	for _, d := range decisions {
		file := ""
		if !d.NeedsProof {
			if file = r.toConfirm(ctx, g, d); file == "" {
				continue
			}
		}
		now := fingerprint(g, d)
		if was, ok := r.tried[d.Unit]; !ok || was != now {
			stale[d.Unit] = staleUnit{d, now}
			if file != "" {
				r.say("%s: applies as its package proved it, and is proven here too, since %s is not the package's", d.Unit, file)
			}
		}
	}
	return stale, nil
}

// toConfirm returns a configuration file that differs from that of its package, where what applies to a unit was proven
// with the package's; "" if nothing has to be confirmed. An attempt to confirm it is not made twice.
func (r run) toConfirm(ctx context.Context, g *generator.Generator, d generator.Decision) string {
	v := d.Verdict
	if v == nil || v.Stale || v.Tried || v.Result != verdict.Proven || !v.Fingerprint.Shipped() || v.Newer() {
		return ""
	}
	u, err := g.Units.Load(d.Unit)
	if err != nil || u.Fragment == "" || unit.IsTemplate(u.ID) {
		return ""
	}
	file, err := changedConffile(ctx, r.root, []string{u.Fragment, verdict.Executable(u)})
	if err != nil {
		r.say("%s: whether its configuration is that of its package is not known: %v", d.Unit, err)
	}
	return file
}

// load reads what the generator reads. The generator reports errors in single files.
func load(root host.Root) (*generator.Generator, error) {
	g, _, err := generator.OfMachine(root)
	return g, err
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

// keepShipped keeps, with the verdicts of this machine, those that a package brought and that hold: they go on applying
// when the package of the service has changed, whatever the package of the verdicts brings then.
func keepShipped(g *generator.Generator, decisions []generator.Decision) error {
	if g.Switches.Off != "" {
		return nil
	}
	var problems []error
	for _, d := range decisions {
		v := d.Verdict
		if v == nil || v.Stale || v.Result != verdict.Proven || !v.Fingerprint.Shipped() || v.Unit != d.Unit {
			continue
		}
		own, err := g.Store.Own().Get(v.Unit)
		if err == nil && (own.Newer() || own.Dropin == v.Dropin && own.Fingerprint == v.Fingerprint) {
			continue
		}
		v.Stale, v.StaleReason = false, ""
		problems = append(problems, g.Store.Put(*v))
	}
	return errors.Join(problems...)
}

// say writes a line for the journal.
func (r run) say(format string, args ...any) {
	plain.Args(args)
	fmt.Fprintf(r.out, format+"\n", args...)
}

// alarm writes a line that people should see.
func (r run) alarm(format string, args ...any) {
	plain.Args(args)
	fmt.Fprintf(r.alarms, "<4>"+format+"\n", args...)
}
