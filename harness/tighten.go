package harness

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/verdict"
	"temper/profiles"
)

// A grant is one name by which a profile allows something: a path, a capability, a system call, an address.
type grant struct {
	directive *directive.Directive
	name      string
}

// tightening finds the grants of a profile that a proof never needed. All of them are taken away at once; those that the
// evidence names are put back until nothing fails and nothing more is refused than in the proof, so that a grant whose loss
// only does damage that no check notices is kept too. Where the evidence names none, bisection finds the one that is needed.
type tightening struct {
	plan    func(without []grant) generator.Plan
	try     func(ctx context.Context, plan generator.Plan) (trial.Result, error)
	refused func(t trial.Result) witness.Record // what a trial was refused and the proof was not; empty where there is no witness
	real    func(name string) string            // a path with its links resolved
	version int
}

// tighten returns what the profile allows without need.
func (r *run) tighten(ctx context.Context, s *search, down []verdict.Demotion) ([]verdict.Loose, error) {
	proven := s.tried[s.plan(len(s.levers)).Text()]
	t := &tightening{
		plan: func(without []grant) generator.Plan { return s.without(down, without) },
		try:  r.try,
		refused: func(t trial.Result) witness.Record {
			return t.Refused.Minus(proven.Refused).Hidden(r.series.at.Root())
		},
		real:    func(name string) string { return realPath(r.series.at.Root(), name) },
		version: r.input.Version,
	}
	idle, err := t.run(ctx, t.effective(grants(r.input, down)))
	return loose(r.input, idle), err
}

// realPath resolves the links of a path but the last part.
func realPath(root host.Root, name string) string {
	dir, base := path.Split(name)
	real, err := filepath.EvalSymlinks(dir)
	if !root.IsHost() {
		real, err = root.Path(dir)
		real = strings.TrimPrefix(real, root.Dir())
	}
	if err != nil {
		return name
	}
	return path.Join("/", real, base)
}

// grants lists what a profile names, and demotions have left.
func grants(in generator.Input, down []verdict.Demotion) []grant {
	var list []grant
	for _, s := range in.Profile.Service {
		d, ok := directive.Lookup(s.Name)
		if !ok {
			continue
		}
		left := d.Grants(demoted(s.Name, s.Values, down), in.Version)
		for _, name := range d.Grants(s.Values, in.Version) {
			if slices.Contains(left, name) {
				list = append(list, grant{d, name})
			}
		}
	}
	return list
}

// demoted is what demotions leave of the assignments of a directive.
func demoted(name string, want []string, down []verdict.Demotion) []string {
	for _, d := range down {
		if d.Directive == name {
			return d.Lines()
		}
	}
	return want
}

// without is the plan that was proven, with grants taken away.
func (s *search) without(down []verdict.Demotion, taken []grant) generator.Plan {
	in := s.input
	in.Demotions = slices.Clone(down)
	for _, setting := range in.Profile.Service {
		d, _ := directive.Lookup(setting.Name)
		if gone := names(taken, d); len(gone) > 0 {
			lines := d.Without(demoted(d.Name, setting.Values, down), gone, in.Version)
			in.Demotions = slices.DeleteFunc(in.Demotions, func(x verdict.Demotion) bool { return x.Directive == d.Name })
			in.Demotions = append(in.Demotions, verdict.Demotion{Directive: d.Name, To: verdict.Join(lines)})
		}
	}
	plan := generator.NewPlan(in)
	plan.Items = slices.DeleteFunc(plan.Items, func(i generator.Item) bool { return s.idle[i.Directive.Name] != "" })
	return plan
}

// names are those of the grants of one directive.
func names(list []grant, d *directive.Directive) []string {
	var names []string
	for _, g := range list {
		if g.directive == d {
			names = append(names, g.name)
		}
	}
	return names
}

// effective leaves the grants that change the drop-in: of the others, which the unit's own lines decide about, nothing can be
// seen.
func (t *tightening) effective(list []grant) []grant {
	all := t.plan(nil).Text()
	return slices.DeleteFunc(list, func(g grant) bool { return t.plan([]grant{g}).Text() == all })
}

// run returns the grants that can be taken away together.
func (t *tightening) run(ctx context.Context, left []grant) ([]grant, error) {
	for len(left) > 0 {
		ok, needed, err := t.passes(ctx, left)
		if err != nil {
			return nil, err
		}
		if ok {
			return left, nil
		}
		if needed == nil {
			if needed, err = t.bisect(ctx, left); err != nil {
				return nil, err
			}
		}
		left = slices.DeleteFunc(left, func(g grant) bool { return slices.ContainsFunc(needed, g.equal) })
	}
	return nil, nil
}

// passes tries the service without grants. Where it lacks some, those that the evidence names are needed.
func (t *tightening) passes(ctx context.Context, taken []grant) (ok bool, needed []grant, err error) {
	trial, err := t.try(ctx, t.plan(taken))
	if err != nil {
		return false, nil, err
	}
	needed = t.needed(trial, taken)
	return trial.OK && needed == nil, needed, nil
}

// bisect finds, in the order of the grants, the first that is needed when those before it are gone too.
func (t *tightening) bisect(ctx context.Context, taken []grant) ([]grant, error) {
	low, high := 0, len(taken)
	for high-low > 1 {
		middle := (low + high) / 2
		ok, needed, err := t.passes(ctx, taken[:middle])
		switch {
		case err != nil:
			return nil, err
		case needed != nil:
			return needed, nil
		case ok:
			low = middle
		default:
			high = middle
		}
	}
	return taken[high-1 : high], nil
}

// needed lists the grants whose lack explains what a trial was refused: for each refusal the closest.
func (t *tightening) needed(trial trial.Result, taken []grant) []grant {
	var needed []grant
	for _, d := range t.refused(trial).Denials {
		for _, r := range d.Restrictions() {
			if g, ok := t.closest(taken, r); ok {
				if !slices.ContainsFunc(needed, g.equal) {
					needed = append(needed, g)
				}
				break
			}
		}
	}
	return needed
}

// closest finds the grant for a restriction: of several, the one with the longest name, which of paths is the narrowest.
func (t *tightening) closest(taken []grant, r witness.Restriction) (best grant, ok bool) {
	for _, g := range taken {
		if (!ok || len(g.name) > len(best.name)) && (t.gives(g, g.name, r) || path.IsAbs(r.Subject) && t.gives(g, t.real(g.name), r)) {
			best, ok = g, true
		}
	}
	return best, ok
}

// gives reports whether a grant, or another name of its, is what a restriction takes away.
func (t *tightening) gives(g grant, name string, r witness.Restriction) bool {
	kind := r.Kind
	return g.directive.Gives(name, kind, r.Subject, t.version) ||
		path.IsAbs(r.Subject) && g.directive.Gives(name, kind, t.real(r.Subject), t.version)
}

func (g grant) equal(h grant) bool { return g.directive == h.directive && g.name == h.name }

// loose turns the grants that were not needed into findings, one for each directive, in the order of the profile.
func loose(in generator.Input, idle []grant) []verdict.Loose {
	var list []verdict.Loose
	for _, s := range in.Profile.Service {
		d, _ := directive.Lookup(s.Name)
		if spare := names(idle, d); len(spare) > 0 {
			list = append(list, verdict.Loose{
				Pos: s.Pos.String(), Profile: s.Profile, Directive: s.Name, Names: spare,
				Right: profiles.Setting{Name: s.Name, Values: d.Without(s.Values, spare, in.Version)}.Line(),
			})
		}
	}
	return list
}
