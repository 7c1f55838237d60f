package harness

import (
	"context"
	"fmt"
	"slices"

	"temper/harness/blame"
	"temper/harness/trial"
	"temper/internal/verdict"
)

// blame finds the first lever beyond low that fails together with those before it, and steps it down until it passes. It
// returns how many levers are then known to pass.
func (s *search) blame(ctx context.Context, failed trial.Result, low int) (int, error) {
	high, why := len(s.levers), failed
	for high-low > 1 {
		middle := (low + high) / 2
		t, err := s.passes(ctx, middle)
		if err != nil {
			return 0, err
		}
		if t.OK {
			low = middle
		} else {
			high, why = middle, t
		}
	}
	if high <= low {
		return 0, fmt.Errorf("%w: %s", errFlaky, summary(failed.Failures))
	}
	if s.follow(why) { // it fails in its own way, without what failed before it
		t, err := s.passes(ctx, high)
		if err != nil || t.OK {
			return high, err
		}
		why = t
	}
	return high, s.weaken(ctx, s.levers[high-1], high, why)
}

// weaken steps the culprit, lever number n, down until the first n levers pass.
func (s *search) weaken(ctx context.Context, l *lever, n int, why trial.Result) error {
	l.evidence = append(l.evidence, why.Evidence()...)
	if done, err := s.exempt(ctx, l, n); done || err != nil {
		return err
	}
	if done, err := s.except(ctx, l, n); done || err != nil {
		return err
	}
	for l.names = nil; !l.isOff(); {
		l.level++
		t, err := s.passes(ctx, n)
		if err == nil && !t.OK && !l.isOff() && s.follow(t) { // an exception may do with this value
			t, err = s.passes(ctx, n)
		}
		if err != nil || t.OK {
			s.suspectAlike(l)
			return err
		}
	}
	return nil
}

// suspectAlike steps down whatever enforces what two levers enforce that were both given up: then it is likely that which
// breaks the service, rather than twice something else. What turns out to be innocent is put back in the end.
func (s *search) suspectAlike(culprit *lever) {
	for _, property := range s.enforced(culprit) {
		var alike []*lever
		for _, l := range s.levers {
			if l.directive.Restricts() && slices.Contains(s.enforced(l), property) {
				alike = append(alike, l)
			}
		}
		given := slices.DeleteFunc(slices.Clone(alike), func(l *lever) bool { return l.level == 0 })
		if len(given) < 2 {
			continue
		}
		why := fmt.Sprintf("sets %s= here too, as %s= and %s= do, which break it", property, given[0].directive.Name, given[1].directive.Name)
		for _, l := range alike {
			if !slices.Contains(given, l) {
				l.names, l.level, l.unrefined = nil, len(l.rungs)+1, true
				l.evidence = append(l.evidence, verdict.Evidence{Kind: "implied", Text: l.directive.Name + "= " + why})
			}
		}
	}
}

// enforced lists the directives that a lever sets, itself and by what it implies.
func (s *search) enforced(l *lever) []string {
	names := []string{l.directive.Name}
	for _, e := range l.directive.Brings(s.input.Version, s.unprivileged()) {
		names = append(names, e.Directive)
	}
	return names
}

// unprivileged reports whether the service is not started with all capabilities.
func (s *search) unprivileged() bool {
	user, _ := s.input.Unit.Last("Service", "User")
	return trial.IsDynamic(s.input.Unit) || !slices.Contains([]string{"", "root", "0"}, user.Value)
}

// refine looks for exact exceptions of a lever that was given up whole without a look. It reports whether there are any.
func (s *search) refine(ctx context.Context, l *lever) (bool, error) {
	if !l.unrefined || !l.isOff() || !l.directive.HasExceptions() {
		return false, nil
	}
	l.unrefined = false
	level := l.level
	l.level = 0
	ok, err := s.except(ctx, l, len(s.levers))
	if !ok {
		l.level, l.names = level, nil
	}
	return ok, err
}

// exempt tries the exceptions that the table holds worth trying without evidence. Those that turn out not to be needed are
// taken back in the end.
func (s *search) exempt(ctx context.Context, l *lever, n int) (bool, error) {
	d := blame.ExceptionsOf(l.directive)
	if d == nil {
		return false, nil
	}
	names := slices.Clone(d.Try.Names)
	if d.Try.Sockets && s.serve != nil {
		names = append(names, blame.PortRules(s.serve())...)
	}
	if d.Try.Home && s.home != "" {
		names = append(names, s.home)
	}
	list := s.lever(d)
	before := *list
	if !list.allow(names) {
		return false, nil
	}
	list.evidence = append(slices.Clone(list.evidence), l.evidence...)
	t, err := s.passes(ctx, n)
	if err == nil && t.OK {
		return true, nil
	}
	*list = before
	return false, err
}

// except finds the least set of refused names that must be allowed, by bisection. It reports whether there is one.
func (s *search) except(ctx context.Context, l *lever, n int) (bool, error) {
	refused := blame.Exceptions(l.directive, l.want, s.input.Version)
	if len(refused) == 0 || l.level > 0 {
		return false, nil
	}
	var needed []string
	pass := func(from int) (bool, error) {
		l.names = slices.Concat(needed, refused[from:])
		t, err := s.passes(ctx, n)
		return t.OK, err
	}
	if matters, err := s.namesMatter(ctx, l, n, refused); err != nil || !matters {
		return false, err
	}
	for low := 0; len(needed) <= maxExceptions; low++ {
		if ok, err := pass(len(refused)); err != nil || ok {
			return ok, err
		}
		for high := len(refused); high-low > 1; {
			middle := (low + high) / 2
			ok, err := pass(middle)
			if err != nil {
				return false, err
			}
			if ok {
				low = middle
			} else {
				high = middle
			}
		}
		needed = append(needed, refused[low])
	}
	return false, nil
}

// namesMatter refuses single names, to tell a need of some of them from a directive that breaks the service whatever it
// refuses. Since the name may be one that is needed, there are up to three tries.
func (s *search) namesMatter(ctx context.Context, l *lever, n int, refused []string) (bool, error) {
	for _, only := range slices.Compact([]int{0, len(refused) / 2, len(refused) - 1}) {
		l.names = slices.Delete(slices.Clone(refused), only, only+1)
		if t, err := s.passes(ctx, n); err != nil || t.OK {
			return t.OK, err
		}
	}
	return false, nil
}
