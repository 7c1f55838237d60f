package search

import (
	"context"
	"path"
	"slices"

	"temper/generator"
	"temper/harness/blame"
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

// A tightening finds the grants of a profile that the service does not need. It takes all of them away at once, and
// puts back those that the evidence names until nothing fails and nothing more is refused than in the proof. So it also
// keeps a grant whose loss does damage that no check notices. If the evidence names none, bisection finds a needed one.
// At the end it tries narrower grants instead of those that are needed.
type tightening struct {
	input  generator.Input
	files  blame.Files
	trier  Trier
	proven Outcome
}

// Tighten returns what the profile allows without need. It runs after a search that has proven the service.
func Tighten(
	ctx context.Context,
	in generator.Input,
	files blame.Files,
	trier Trier,
	proven Outcome,
) ([]verdict.Loose, error) {
	t := &tightening{input: in, files: files, trier: trier, proven: proven}
	all := t.effective(grants(in, proven.Demotions))
	unneeded, err := t.run(ctx, slices.Clone(all))
	if err != nil {
		return nil, err
	}
	unneeded, enough, err := t.narrow(ctx, all, unneeded)
	return loose(in, unneeded, enough), err
}

// narrow looks for needed grants instead of which a narrower one is enough. It returns the unneeded grants with those,
// and what is enough instead.
func (t *tightening) narrow(ctx context.Context, all, unneeded []grant) (gone, enough []grant, err error) {
	gone = slices.Clone(unneeded)
	for _, g := range all {
		if slices.ContainsFunc(unneeded, g.equal) {
			continue
		}
		for _, name := range g.directive.Narrower(g.name) {
			instead := grant{g.directive, name}
			if slices.ContainsFunc(all, instead.equal) {
				continue // it was there too, and was not enough
			}
			taken, given := append(slices.Clone(gone), g), append(slices.Clone(enough), instead)
			r, err := t.trier.Try(ctx, t.plan(taken, given...), Longer)
			if err != nil {
				return nil, nil, err
			}
			if r.OK && t.needed(r, taken) == nil {
				gone, enough = taken, given
				break
			}
		}
	}
	return gone, enough, nil
}

// refused is what the kernel refused in a launch and not in the launch that proved the service.
func (t *tightening) refused(r trial.Result) witness.Record {
	return blame.NewService(t.input, t.files).NewRefusals(r.Refused, t.proven.Result.Refused)
}

// realPath resolves the links in a path, except its last part.
func realPath(root host.Root, name string) string {
	dir, base := path.Split(name)
	real, err := root.Real(dir)
	if err != nil {
		return name
	}
	return path.Join("/", real, base)
}

// grants lists the grants of a profile that are still there after the demotions.
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

// demoted returns the assignments of a directive after the demotions.
func demoted(name string, want []string, down []verdict.Demotion) []string {
	for _, d := range down {
		if d.Directive == name {
			return d.Lines()
		}
	}
	return want
}

// plan is the proven plan without some grants, and with others instead.
func (t *tightening) plan(taken []grant, instead ...grant) generator.Plan {
	in := t.input
	in.Demotions = slices.Clone(t.proven.Demotions)
	for _, setting := range in.Profile.Service {
		d, _ := directive.Lookup(setting.Name)
		if gone := names(taken, d); len(gone) > 0 {
			lines := d.Without(demoted(d.Name, setting.Values, t.proven.Demotions), gone, in.Version)
			lines = d.Allow(lines, names(instead, d), in.Version)
			in.Demotions = slices.DeleteFunc(
				in.Demotions,
				func(x verdict.Demotion) bool { return x.Directive == d.Name },
			)
			in.Demotions = append(in.Demotions, verdict.Demotion{Directive: d.Name, To: verdict.Join(lines)})
		}
	}
	return planWithout(in, t.proven.LeftOut, func(*directive.Directive) bool { return true })
}

// names returns the names in those grants of a list that belong to one directive.
func names(list []grant, d *directive.Directive) []string {
	var names []string
	for _, g := range list {
		if g.directive == d {
			names = append(names, g.name)
		}
	}
	return names
}

// effective returns the grants whose removal changes the drop-in. The others have no effect, since the unit's own lines
// decide.
func (t *tightening) effective(list []grant) []grant {
	all := t.plan(nil).Text()
	return slices.DeleteFunc(list, func(g grant) bool { return t.plan([]grant{g}).Text() == all })
}

// run returns the grants that can be removed together.
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

// passes tries the service without some grants. needed are those of them that the evidence names.
func (t *tightening) passes(ctx context.Context, taken []grant) (ok bool, needed []grant, err error) {
	r, err := t.trier.Try(ctx, t.plan(taken), Longer)
	if err != nil {
		return false, nil, err
	}
	needed = t.needed(r, taken)
	return r.OK && needed == nil, needed, nil
}

// bisect finds the first grant that is needed when all grants before it are removed too.
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

// needed lists the grants whose removal explains the refusals of a trial: for each refusal the closest grant.
func (t *tightening) needed(result trial.Result, taken []grant) []grant {
	var needed []grant
	for _, d := range t.refused(result).Denials {
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

// closest finds the grant that lifts a restriction. If there are several, it is the one with the longest name, which is
// the narrowest path.
func (t *tightening) closest(taken []grant, r witness.Restriction) (best grant, ok bool) {
	for _, g := range taken {
		if (!ok || len(g.name) > len(best.name)) &&
			(t.gives(g, g.name, r) || path.IsAbs(r.Subject) && t.gives(g, realPath(t.files.Root(), g.name), r)) {
			best, ok = g, true
		}
	}
	return best, ok
}

// gives reports whether a grant lifts a restriction. name is the name of the grant, or its path without links.
func (t *tightening) gives(g grant, name string, r witness.Restriction) bool {
	kind := r.Kind
	return g.directive.Gives(name, kind, r.Subject, t.input.Version) ||
		path.IsAbs(r.Subject) && g.directive.Gives(name, kind, realPath(t.files.Root(), r.Subject), t.input.Version)
}

func (g grant) equal(h grant) bool { return g.directive == h.directive && g.name == h.name }

// loose turns unneeded grants into findings, one for each directive, in the order of the profile.
func loose(in generator.Input, unneeded, enough []grant) []verdict.Loose {
	var list []verdict.Loose
	for _, s := range in.Profile.Service {
		d, _ := directive.Lookup(s.Name)
		if spare := names(unneeded, d); len(spare) > 0 {
			right := d.Allow(d.Without(s.Values, spare, in.Version), names(enough, d), in.Version)
			list = append(list, verdict.Loose{
				Pos: s.Pos.String(), Profile: s.Profile, Directive: s.Name, Names: spare,
				Right: profiles.Setting{Name: s.Name, Values: right}.Line(),
			})
		}
	}
	return list
}
