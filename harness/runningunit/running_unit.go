// Package runningunit checks a unit that really runs with the hardening of its verdict, as opposed to a trial.
//
// Call [Unit].
package runningunit

import (
	"context"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"

	"temper/generator"
	"temper/harness"
	"temper/harness/check"
	"temper/harness/confine"
	"temper/harness/place"
	"temper/harness/proc"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/profiles"
)

// Report says what was seen of a running unit.
type Report struct {
	Active      bool
	Confirmed   []string          // directives of the verdict that were seen to hold
	Partly      map[string]string // directives that were seen to hold only in part, and what was seen of the other part
	Ineffective map[string]string // directives that were seen not to hold, and what was seen instead
	Status      map[string]string // of the main process: Seccomp, NoNewPrivs, CapBnd
	Checks      []check.Outcome   // of its profile, phase running
}

// OK reports whether the unit runs, is confined as its verdict says, and passes its checks.
func (i Report) OK() bool {
	return i.Active && len(i.Ineffective) == 0 && len(i.Confirmed) > 0 &&
		!slices.ContainsFunc(i.Checks, func(o check.Outcome) bool { return o.Required && !o.OK && !o.NotRun })
}

// Confinement describes the confinement of the main process.
func (i Report) Confinement() string {
	if !i.Active {
		return "NOT running"
	}
	text := fmt.Sprintf("%d directives seen in /proc, seccomp %s, capabilities %s",
		len(i.Confirmed), i.Status["Seccomp"], capabilities(i.Status["CapBnd"]))
	for _, name := range slices.Sorted(maps.Keys(i.Partly)) {
		text += fmt.Sprintf(", in part %s= (%s)", name, i.Partly[name])
	}
	for _, name := range slices.Sorted(maps.Keys(i.Ineffective)) {
		text += fmt.Sprintf(", NOT %s= (%s)", name, i.Ineffective[name])
	}
	return text
}

// capabilities says how many capabilities are in a set of /proc.
func capabilities(set string) string {
	n, _ := strconv.ParseUint(set, 16, 64) // /proc writes hexadecimal numbers
	return fmt.Sprintf("%d of %d", bits.OnesCount64(n), len(values.CapabilityNames()))
}

// Unit checks a unit that runs in a place, against the verdict and the profile that the place has for it.
func Unit(ctx context.Context, where *place.Place, set *profiles.Set, name string) (Report, error) {
	v, err := verdict.Store{Root: where.Root()}.Get(name)
	if err != nil {
		return Report{}, err
	}
	u, err := (&unit.Loader{Root: where.Root(), Version: where.SystemdVersion()}).Load(name)
	if err != nil {
		return Report{}, err
	}
	p, _ := set.For(u)
	if p == nil {
		return Report{}, fmt.Errorf("%s: %w", name, harness.ErrNoProfile)
	}
	if err := setUpRunning(ctx, where, p, name); err != nil {
		return Report{}, err
	}
	s, err := where.Manager().LoadedService(ctx, name)
	if err != nil {
		return Report{}, err
	}
	i := Report{Active: s.Active == "active"}
	pid := trial.MainProcess(where, s)
	if pid == 0 {
		return i, nil
	}
	h, err := confine.Read(trial.Subject(where, s), planOf(v))
	if err != nil {
		return i, err
	}
	i.Confirmed, i.Ineffective, i.Partly = h.Holds, h.NoEffect, h.Partly
	i.Status = proc.Machine.Process(pid).Status()
	if i.Status == nil {
		err = fmt.Errorf("process %d is gone", pid)
	}
	const phase = "running"
	env := check.Env{
		Place: where, Service: trial.RunningUnit{Place: where, Name: name}, Unit: name,
		Environ: trial.Variables(where, name, phase),
	}
	i.Checks = check.Run(ctx, env, p.Checks, phase)
	return i, err
}

// setUpRunning runs the setup commands of a profile and restarts the unit, since its checks may need what they make.
func setUpRunning(ctx context.Context, where *place.Place, p *profiles.Profile, name string) error {
	if len(p.Prove.Setup) == 0 {
		return nil
	}
	if err := trial.SetUp(ctx, where, p, name); err != nil {
		return fmt.Errorf("%s: %w", p.Path, err)
	}
	ctx, cancel := context.WithTimeout(ctx, p.Prove.Timeout)
	defer cancel()
	_, err := where.Manager().RestartUnit(ctx, name)
	return err
}

// planOf returns a plan with the assignments of a verdict.
func planOf(v verdict.Verdict) generator.Plan {
	plan := generator.Plan{Unit: v.Unit, Profile: v.Profile}
	for _, a := range v.Applied {
		d, ok := directive.Lookup(a.Directive)
		if !ok {
			continue
		}
		if n := len(plan.Items); n == 0 || plan.Items[n-1].Directive != d {
			plan.Items = append(plan.Items, generator.Item{Directive: d})
		}
		last := &plan.Items[len(plan.Items)-1]
		last.Lines = append(last.Lines, a.Value)
	}
	return plan
}
