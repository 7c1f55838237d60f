package watch

import (
	"context"
	"fmt"
	"path"
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/place"
	"temper/harness/runningunit"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// generated is the directory of the drop-ins that are decided now.
const generated = "/run/systemd/generator"

// A Plan is what a service that runs is refused.
type Plan struct {
	service  blame.Service
	applied  []blame.Applied
	baseline map[string]bool // what it was refused without hardening, when it was proven last
}

// Plans tells under which plan a service runs.
type Plans interface {
	// Hardened reports whether a service is to run hardened when it starts next.
	Hardened(unit string) bool
	// Plan is the plan of a service, which has just been started or already runs.
	Plan(ctx context.Context, unit string, running bool) (Plan, error)
}

// Machine is this machine: its unit files, its verdicts and, for what already runs, its processes.
type Machine struct {
	Root    host.Root
	Files   host.Root // the same files as PID 1 sees them: the sandbox of who watches hides nothing in it
	Version int
	Place   *place.Place // nil where no systemd runs
}

// Hardened reports whether a service has a drop-in of temper.
func (m Machine) Hardened(name string) bool {
	for _, n := range []string{name, unit.Template(name)} {
		if _, err := m.Root.Stat(path.Join(generated, n+".d", generator.Dropin)); n != "" && err == nil {
			return true
		}
	}
	return false
}

// Plan reads the plan of a service. That of one which has just been started is in its drop-in; one that already runs
// may have started before that was written, so that its process is looked at.
func (m Machine) Plan(ctx context.Context, name string, running bool) (Plan, error) {
	u, err := (&unit.Loader{Root: m.Root, Version: m.Version}).Load(name)
	if err != nil {
		return Plan{}, err
	}
	assigned := assignments(u)
	if running && m.Place != nil {
		s, err := m.Place.Manager().LoadedService(ctx, name)
		if err != nil {
			return Plan{}, err
		}
		if assigned, err = runningunit.InForce(m.Place, s); err != nil {
			return Plan{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	in := generator.Input{Unit: u.Without(generator.Dropin), Version: m.Version}
	trials, _ := verdict.Store{Root: m.Root}.Trials(u.ID) // there are none for a verdict that a package shipped
	return Plan{
		service: blame.NewService(in, files{m.Files}), applied: applied(assigned), baseline: refusedWithout(trials),
	}, nil
}

// assignments are those of a unit's drop-in of temper.
func assignments(u *unit.Unit) (list []verdict.Applied) {
	for _, a := range u.Assignments {
		if a.Section == "Service" && path.Base(a.Pos.Path) == generator.Dropin && host.Below(generated, a.Pos.Path) {
			list = append(list, verdict.Applied{Directive: a.Name, Value: a.Value})
		}
	}
	return list
}

// applied groups assignments by directive.
func applied(list []verdict.Applied) (plan []blame.Applied) {
	for _, a := range list {
		d, known := directive.Lookup(a.Directive)
		if !known {
			continue
		}
		i := slices.IndexFunc(plan, func(p blame.Applied) bool { return p.Directive == d })
		if i < 0 {
			i, plan = len(plan), append(plan, blame.Applied{Directive: d})
		}
		plan[i].Lines = append(plan[i].Lines, a.Value)
		plan[i].Want = plan[i].Lines
	}
	return plan
}

// refusedWithout is what a service was refused in the trials without hardening.
func refusedWithout(trials []verdict.Trial) map[string]bool {
	set := map[string]bool{}
	for _, t := range trials {
		if t.Dropin != "" {
			continue
		}
		for _, text := range t.Refused {
			set[witness.Normalized(text)] = true
		}
	}
	return set
}

// files are the files of the machine: whatever is there now was there before.
type files struct{ root host.Root }

func (f files) Root() host.Root { return f.root }

func (f files) ExistedAtStart(name string) bool {
	_, err := f.root.Lstat(name)
	return err == nil
}
