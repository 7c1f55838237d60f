package harness

import (
	"slices"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/verdict"
)

// A lever is one directive of the full plan and how far the search has stepped it down.
type lever struct {
	directive *directive.Directive
	want      []string   // what the profile asks for, and secrets of others
	rungs     [][]string // the weaker values below
	level     int        // 0: want; n: rungs[n-1]; beyond them: off
	names     []string   // exact exceptions that were made; of a list of exceptions, what was added to it
	evidence  []verdict.Evidence
	unrefined bool // given up whole, without a look for exact exceptions
}

// levers lists the directives of the full plan that a demotion can change, exceptions included.
func levers(in generator.Input) []*lever {
	var ls []*lever
	for _, item := range generator.NewPlan(in).Items {
		ls = append(ls, newLever(item.Directive, item.Want, in))
	}
	return ls
}

func newLever(d *directive.Directive, want []string, in generator.Input) *lever {
	return &lever{directive: d, want: want, rungs: d.Weaker(want, in.Version)}
}

func (l *lever) isOff() bool { return l.level > len(l.rungs) }

// stepDown goes one rung down, and on while the lever is known to refuse the same.
func (l *lever) stepDown(refused witness.Restriction, version int) {
	l.names = nil
	for l.level++; !l.isOff() && refused.Kind != "" && blame.Refuses(l.directive, l.lines(version), refused, version); {
		l.level++
	}
}

// maxExceptions bounds the exact exceptions of one directive: a service that needs more is not served by them.
const maxExceptions = 24

// allow makes exact exceptions and reports whether any is new.
func (l *lever) allow(names []string) bool {
	more := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(l.names, n) })
	if len(l.names)+len(more) > maxExceptions {
		return false
	}
	l.names = append(slices.Clone(l.names), more...)
	return len(more) > 0
}

func (l *lever) demoted() bool { return l.level > 0 || len(l.names) > 0 }

// lines is what the lever asks for now; nil when off.
func (l *lever) lines(version int) []string {
	switch {
	case l.isOff():
		return nil
	case l.level > 0:
		return l.rungs[l.level-1]
	}
	return l.directive.Allow(l.want, l.names, version)
}

// applied are levers as far down as they are, as evidence is read for them.
func applied(ls []*lever, version int) []blame.Applied {
	var plan []blame.Applied
	for _, l := range ls {
		plan = append(plan, blame.Applied{Directive: l.directive, Want: l.want, Allowed: l.names, Lines: l.lines(version)})
	}
	return plan
}

// demotions writes down every step that the levers were taken down, in the order of the table.
func demotions(ls []*lever, version int) []verdict.Demotion {
	var list []verdict.Demotion
	for _, l := range ls {
		if !l.demoted() {
			continue
		}
		list = append(list, verdict.Demotion{
			Directive: l.directive.Name,
			From:      l.from(),
			To:        verdict.Join(l.lines(version)),
			Reason:    l.reason(),
			Evidence:  append([]verdict.Evidence{}, l.evidence...),
		})
	}
	slices.SortStableFunc(list, func(a, b verdict.Demotion) int {
		x, _ := directive.Lookup(a.Directive)
		y, _ := directive.Lookup(b.Directive)
		return directive.Compare(x, y)
	})
	return list
}

// from is what the profile asks for, as a demotion writes it: "" where a list of exceptions had none.
func (l *lever) from() string {
	if l.want == nil {
		return ""
	}
	return verdict.Join(l.want)
}

func (l *lever) reason() string {
	switch {
	case l.isOff():
		return "the service does not work with it, at any value"
	case l.level > 0:
		return "the service works with this value and with no stronger one"
	case l.directive.Restricts():
		return "the service needs exactly these exceptions"
	}
	return "the service writes there; the exception is exact, nothing else is given up"
}

// A step is one way to put a part of a demotion back.
type step struct {
	lever *lever
	name  string // the exception to take away again; "" = one rung up
}

// steps lists every way to put something back.
func steps(ls []*lever) []step {
	var list []step
	for _, l := range ls {
		if l.level > 0 {
			list = append(list, step{lever: l})
		}
		for _, n := range l.names {
			list = append(list, step{l, n})
		}
	}
	return list
}

// back puts the step back and returns how to undo that.
func (s step) back() (undo func()) {
	level, names := s.lever.level, s.lever.names
	if s.name == "" {
		s.lever.level--
	} else {
		s.lever.names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == s.name })
	}
	return func() { s.lever.level, s.lever.names = level, names }
}
