package search

import (
	"fmt"
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/verdict"
)

// A candidate is one directive of the full plan and how far the search has stepped it down.
type candidate struct {
	directive *directive.Directive
	version   int        // of systemd
	want      []string   // what the profile asks for, and the secrets of other services
	weaker    [][]string // the weaker values, the strongest first
	level     int        // 0: want; n: weaker[n-1]; greater: off
	allowed   []string   // the exact exceptions; of a list of exceptions, what was added to it
	evidence  []verdict.Evidence
	untried   bool // it is off since the place withholds what it restricts
	opens     bool // it was stepped down since it opened what is closed without hardening

	named       int    // number of launches whose evidence named it
	failedAt    []int  // the levels at which a launch has failed for its sake
	sharedCause string // the directive that it implies and that breaks the service alone; empty if there is none

	exceptionsUntried bool     // it was turned off without a search for exact exceptions
	keptExceptions    []string // exceptions for what the place withholds; they are never removed

	earlier *verdict.Demotion // of an earlier proof, or for what was used; it is never taken back
	used    bool              // it is demoted for what was used on this machine
	checks  []string          // the checks that fail without a step down
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

func (c *candidate) isOff() bool {
	return c.untried || c.level > len(c.weaker) || c.earlier != nil && c.earlier.Lines() == nil
}

// keep begins with a demotion of an earlier proof instead of what the profile asks for.
func (c *candidate) keep(d verdict.Demotion) {
	c.earlier, c.want = &d, d.Lines()
	c.weaker = c.directive.Weaker(c.want, c.version)
	c.evidence, c.checks = slices.Clone(d.Evidence), slices.Clone(d.Checks)
}

// allowUsed steps down for what was used on this machine.
func (c *candidate) allowUsed(p blame.Proposal) {
	if c.isOff() {
		return
	}
	c.used = true
	if len(p.Names) > 0 {
		for _, n := range p.Names {
			if !slices.Contains(c.keptExceptions, n) {
				c.keptExceptions = append(c.keptExceptions, n)
			}
		}
		c.addEvidence(p.Evidence)
		return
	}
	from, evidence := c.from(), append(slices.Clone(c.evidence), p.Evidence)
	c.stepDown(p.Refused)
	c.failedAt = nil // no launch has failed
	c.keep(verdict.Demotion{
		Directive: c.directive.Name, From: from, To: verdict.Join(c.lines()), Evidence: evidence,
	})
	c.level = 0
}

// owe notes which checks failed in a launch because of the candidate.
func (c *candidate) owe(r trial.Result) {
	for _, failed := range r.FailedChecks() {
		if !slices.Contains(c.checks, failed.Check) {
			c.checks = append(c.checks, failed.Check)
		}
	}
}

// addEvidence adds evidence that is not there yet.
func (c *candidate) addEvidence(list ...verdict.Evidence) {
	for _, e := range list {
		if !slices.Contains(c.evidence, e) {
			c.evidence = append(slices.Clip(c.evidence), e)
		}
	}
}

// sharesEvidence reports whether two candidates were stepped down for the same reason, or one since it implies what the
// other does.
func (c *candidate) sharesEvidence(other *candidate) bool {
	return slices.ContainsFunc(c.evidence, func(e verdict.Evidence) bool {
		return e.Kind == implied || slices.Contains(other.evidence, e)
	}) || slices.ContainsFunc(other.evidence, func(e verdict.Evidence) bool { return e.Kind == implied })
}

// isStronger reports whether the value at a level takes all that the value at a weaker level takes. Values of one rank
// take different things.
func (c *candidate) isStronger(level, weaker int) bool {
	rank := func(level int) int {
		lines := c.want
		if level > 0 {
			lines = c.weaker[level-1]
		}
		v, _ := c.directive.Read(lines, c.version)
		return v.Rank
	}
	return level < weaker && (!c.directive.Ordered() || rank(level) > rank(weaker))
}

// reset forgets that the candidate was turned off.
func (c *candidate) reset() {
	c.level, c.exceptionsUntried = 0, false
	c.evidence = slices.DeleteFunc(slices.Clone(c.evidence), func(e verdict.Evidence) bool { return e.Kind == implied })
}

// turnOff removes the directive from the plan.
func (c *candidate) turnOff() { c.allowed, c.level = nil, len(c.weaker)+1 }

// stepDown goes to the next weaker value that is not known to cause the same restriction.
func (c *candidate) stepDown(refused witness.Restriction) {
	c.allowed = nil
	c.failedAt = append(c.failedAt, c.level)
	for c.level++; !c.isOff() && refused.Kind != "" && blame.Refuses(c.directive, c.lines(), refused, c.version); {
		c.level++
	}
}

// maxExceptions bounds the exact exceptions of one directive: with more of them, the directive would protect little.
const maxExceptions = 24

// allow adds exact exceptions and returns the new ones. If they would be too many, it adds none.
func (c *candidate) allow(names []string) []string {
	more := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(c.allowed, n) })
	if len(c.allowed)+len(more) > maxExceptions {
		return nil
	}
	c.allowed = append(slices.Clone(c.allowed), more...)
	return more
}

// lift takes the steps down of a proposal and returns them; none if they would be too many exceptions.
func (c *candidate) lift(p blame.Proposal) (taken []step) {
	if len(p.Names) == 0 {
		c.stepDown(p.Refused)
		return []step{{candidate: c, level: c.level - 1}}
	}
	for _, n := range c.allow(p.Names) {
		taken = append(taken, step{candidate: c, name: n})
	}
	return taken
}

func (c *candidate) isDemoted() bool {
	return c.earlier != nil || c.untried || c.level > 0 || len(c.allowed)+len(c.keptExceptions) > 0
}

// exceptions are all exact exceptions.
func (c *candidate) exceptions() []string {
	return append(slices.Clone(c.allowed), c.keptExceptions...)
}

// lines are the current assignments of the candidate; nil if it is off.
func (c *candidate) lines() []string {
	switch {
	case c.isOff():
		return nil
	case c.level > 0:
		return c.weaker[c.level-1]
	}
	return c.directive.Allow(c.want, c.exceptions(), c.version)
}

// applied returns the current state of candidates in the form that package blame takes.
func applied(list []*candidate) []blame.Applied {
	var plan []blame.Applied
	for _, c := range list {
		plan = append(plan,
			blame.Applied{Directive: c.directive, Want: c.want, Allowed: c.exceptions(), Lines: c.lines()})
	}
	return plan
}

// demotions returns the demotions of candidates, in the order of the table of directives.
func demotions(list []*candidate) []verdict.Demotion {
	list = slices.DeleteFunc(slices.Clone(list), func(c *candidate) bool { return !c.isDemoted() })
	slices.SortStableFunc(list, func(a, b *candidate) int { return directive.Compare(a.directive, b.directive) })
	var down []verdict.Demotion
	for _, c := range list {
		down = append(down, verdict.Demotion{
			Directive: c.directive.Name, From: c.from(), To: verdict.Join(c.lines()), Reason: c.reason(),
			Evidence: append([]verdict.Evidence{}, c.evidence...), Checks: c.checks,
		})
	}
	return down
}

// from is the value From of the demotion: what the profile asks for, or empty for a list of exceptions that had none.
func (c *candidate) from() string {
	switch {
	case c.earlier != nil:
		return c.earlier.From
	case c.want == nil:
		return ""
	}
	return verdict.Join(c.want)
}

// unjudged ends the reason of a demotion that an earlier proof found.
const unjudged = " (found earlier: what showed it did not run this time)"

// isTriedWhole reports whether a launch has failed at each value.
func (c *candidate) isTriedWhole() bool {
	for level := range len(c.weaker) + 1 {
		if !slices.Contains(c.failedAt, level) {
			return false
		}
	}
	return true
}

func (c *candidate) reason() string {
	switch {
	case c.used && c.earlier != nil:
		return "a stronger value would refuse what was used on this machine"
	case c.earlier != nil:
		return strings.TrimSuffix(c.earlier.Reason, unjudged) + unjudged
	case c.untried:
		return "not tried: the place withholds from every service what it restricts"
	case c.opens:
		return "a stronger value would open what is closed without hardening"
	case c.isOff() && c.sharedCause != "":
		return fmt.Sprintf("it sets %s= here too, with which the service does not work", c.sharedCause)
	case c.isOff() && len(c.weaker) == 0:
		return "the service does not work with it"
	case c.isOff() && c.isTriedWhole():
		return "the service does not work with it, at any value"
	case c.isOff():
		return fmt.Sprintf("the service does not work with its weakest value, %s",
			verdict.Join(c.weaker[len(c.weaker)-1]))
	case c.level > 0:
		return "the service works with this value and with no stronger one"
	}
	return c.exceptionReason()
}

// exceptionReason is the reason of a demotion that only adds exceptions.
func (c *candidate) exceptionReason() string {
	switch {
	case c.directive.Restricts():
		return "the service needs exactly these exceptions"
	case slices.ContainsFunc(c.exceptions(), blame.IsShared):
		return "the service makes something there; systemd opens only what exists when it starts, here the directory that " +
			"others use too: made by a package or by StateDirectory= and the like, it is opened alone"
	}
	return "the service writes there; the exception is exact, nothing else is given up"
}
