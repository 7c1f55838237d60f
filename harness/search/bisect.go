package search

import (
	"context"
	"slices"

	"temper/harness/blame"
	"temper/harness/trial"
)

// findCulprit finds the first candidate beyond low that fails together with those before it, and steps it down until it
// passes. It returns how many candidates are then known to pass.
func (s *search) findCulprit(ctx context.Context, failed trial.Result, low int) (int, error) {
	high, why := len(s.candidates), failed
	for high-low > 1 {
		middle := (low + high) / 2
		r, err := s.passes(ctx, middle)
		if err != nil {
			return 0, err
		}
		if r.OK {
			low = middle
		} else {
			high, why = middle, r
		}
	}
	if high <= low {
		return 0, flaky(failed.Failures)
	}
	if s.follow(why) { // it fails in its own way, without what failed before it
		r, err := s.passes(ctx, high)
		if err != nil || r.OK {
			return high, err
		}
		why = r
	}
	return high, s.weaken(ctx, s.candidates[high-1], high, why)
}

// weaken steps the culprit, candidate number n, down until the first n candidates pass.
func (s *search) weaken(ctx context.Context, c *candidate, n int, why trial.Result) error {
	c.evidence = append(c.evidence, why.Evidence()...)
	if done, err := s.exempt(ctx, c, n); done || err != nil {
		return err
	}
	if done, err := s.except(ctx, c, n); done || err != nil {
		return err
	}
	for c.allowed = nil; !c.isOff(); {
		c.level++
		r, err := s.passes(ctx, n)
		if err == nil && !r.OK && !c.isOff() && s.follow(r) { // an exception may do with this value
			r, err = s.passes(ctx, n)
		}
		if err != nil || r.OK {
			s.suspectAlike(c)
			return err
		}
	}
	return nil
}

// exempt tries the exceptions that the table holds worth trying without evidence. Those that turn out not to be needed
// are put back in the end.
func (s *search) exempt(ctx context.Context, c *candidate, n int) (bool, error) {
	d := blame.ExceptionsOf(c.directive)
	if d == nil {
		return false, nil
	}
	names := slices.Clone(d.Try.Names)
	if d.Try.Sockets {
		names = append(names, blame.PortRules(observed(s.trier.Baselines()).Sockets("running"))...)
	}
	if home := s.service.Home(); d.Try.Home && home != "" {
		names = append(names, home)
	}
	list := s.candidate(d)
	before := *list
	if len(list.allow(names)) == 0 {
		return false, nil
	}
	list.evidence = append(slices.Clone(list.evidence), c.evidence...)
	r, err := s.passes(ctx, n)
	if err == nil && r.OK {
		return true, nil
	}
	*list = before
	return false, err
}

// except finds the least set of refused names that must be allowed, by bisection. It reports whether there is one.
func (s *search) except(ctx context.Context, c *candidate, n int) (bool, error) {
	refused := blame.Exceptions(c.directive, c.want, s.input.Version)
	if len(refused) == 0 || c.level > 0 {
		return false, nil
	}
	if matters, err := s.namesMatter(ctx, c, n, refused); err != nil || !matters {
		return false, err
	}
	var needed []string
	pass := func(from int) (bool, error) {
		c.allowed = slices.Concat(needed, refused[from:])
		r, err := s.passes(ctx, n)
		return r.OK, err
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
func (s *search) namesMatter(ctx context.Context, c *candidate, n int, refused []string) (bool, error) {
	for _, only := range slices.Compact([]int{0, len(refused) / 2, len(refused) - 1}) {
		c.allowed = slices.Delete(slices.Clone(refused), only, only+1)
		if r, err := s.passes(ctx, n); err != nil || r.OK {
			return r.OK, err
		}
	}
	return false, nil
}
