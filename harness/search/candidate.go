package search

import (
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/verdict"
)

// A candidate is one directive of the full plan and how far the search has stepped it down.
type candidate struct {
	directive *directive.Directive
	version   int        // of systemd
	want      []string   // what the profile asks for, and secrets of others
	weaker    [][]string // the values below, from the strongest
	level     int        // 0: want; n: weaker[n-1]; beyond them: off
	allowed   []string   // exact exceptions that were made; of a list of exceptions, what was added to it
	evidence  []verdict.Evidence
	unrefined bool     // it was given up whole, and nobody looked for exact exceptions
	untried   bool     // it is given up since the place withholds what it restricts
	kept      []string // exceptions for the same reason; they are not put back
}

// candidates lists the directives of the full plan, lists of exceptions included.
func candidates(in generator.Input) []*candidate {
	var list []*candidate
	for _, item := range generator.NewPlan(in).Items {
		list = append(list, newCandidate(item.Directive, item.Want, in.Version))
	}
	return list
}

func newCandidate(d *directive.Directive, want []string, version int) *candidate {
	return &candidate{directive: d, version: version, want: want, weaker: d.Weaker(want, version)}
}

func (c *candidate) isOff() bool { return c.untried || c.level > len(c.weaker) }

// turnOff gives the directive up.
func (c *candidate) turnOff() { c.allowed, c.level = nil, len(c.weaker)+1 }

// stepDown goes to the next weaker value, and on while that is known to refuse the same.
func (c *candidate) stepDown(refused witness.Restriction) {
	c.allowed = nil
	for c.level++; !c.isOff() && refused.Kind != "" && blame.Refuses(c.directive, c.lines(), refused, c.version); {
		c.level++
	}
}

// maxExceptions bounds the exact exceptions of one directive: a service that needs more is not served by them.
const maxExceptions = 24

// allow makes exact exceptions and returns those that are new; none if they would be too many.
func (c *candidate) allow(names []string) []string {
	more := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(c.allowed, n) })
	if len(c.allowed)+len(more) > maxExceptions {
		return nil
	}
	c.allowed = append(slices.Clone(c.allowed), more...)
	return more
}

func (c *candidate) isDemoted() bool {
	return c.untried || c.level > 0 || len(c.allowed)+len(c.kept) > 0
}

// exceptions are all that were made.
func (c *candidate) exceptions() []string { return append(slices.Clone(c.allowed), c.kept...) }

// lines is what the candidate asks for now; nil when it is off.
func (c *candidate) lines() []string {
	switch {
	case c.isOff():
		return nil
	case c.level > 0:
		return c.weaker[c.level-1]
	}
	return c.directive.Allow(c.want, c.exceptions(), c.version)
}

// applied are candidates as far down as they are, as evidence is read for them.
func applied(list []*candidate) []blame.Applied {
	var plan []blame.Applied
	for _, c := range list {
		plan = append(
			plan,
			blame.Applied{Directive: c.directive, Want: c.want, Allowed: c.exceptions(), Lines: c.lines()},
		)
	}
	return plan
}

// demotions writes down every step that candidates were taken down, in the order of the table.
func demotions(list []*candidate) []verdict.Demotion {
	list = slices.DeleteFunc(slices.Clone(list), func(c *candidate) bool { return !c.isDemoted() })
	slices.SortStableFunc(list, func(a, b *candidate) int { return directive.Compare(a.directive, b.directive) })
	var down []verdict.Demotion
	for _, c := range list {
		down = append(down, verdict.Demotion{
			Directive: c.directive.Name, From: c.from(), To: verdict.Join(c.lines()), Reason: c.reason(),
			Evidence: append([]verdict.Evidence{}, c.evidence...),
		})
	}
	return down
}

// from is what the profile asks for, as a demotion has it: empty where a list of exceptions had none.
func (c *candidate) from() string {
	if c.want == nil {
		return ""
	}
	return verdict.Join(c.want)
}

func (c *candidate) reason() string {
	switch {
	case c.untried:
		return "not tried: the place withholds from every service what it restricts"
	case c.isOff():
		return "the service does not work with it, at any value"
	case c.level > 0:
		return "the service works with this value and with no stronger one"
	case c.directive.Restricts():
		return "the service needs exactly these exceptions"
	}
	return "the service writes there; the exception is exact, nothing else is given up"
}
