package search

import (
	"context"
	"slices"

	"temper/harness/blame"
	"temper/harness/trial"
)

// findCulprit finds, after the first low candidates, the first one that fails together with those before it, and steps
// it down until the launch passes. It returns how many candidates are then known to pass.
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
	if s.applyEvidence(why) { // the last failure may have other evidence than the first
		r, err := s.passes(ctx, high)
		if err != nil || r.OK {
			return high, err
		}
		why = r
	}
	return high, s.weaken(ctx, s.candidates[high-1], high, why)
}

// weaken steps the culprit down until the first n candidates pass. The culprit is the last of these.
func (s *search) weaken(ctx context.Context, c *candidate, n int, why trial.Result) error {
	c.addEvidence(why.Evidence()...)
	if len(why.Failures) > 0 {
		s.last = blamed{candidate: c, failure: why.Failures[0]}
	}
	if done, err := s.tryExceptions(ctx, c, n); done || err != nil {
		return err
	}
	if done, err := s.findExceptions(ctx, c, n); done || err != nil {
		return err
	}
	for c.allowed = nil; !c.isOff(); {
		c.failedAt = append(c.failedAt, c.level)
		c.level++
		r, err := s.passes(ctx, n)
		if err == nil && !r.OK && !c.isOff() && s.applyEvidence(r) { // an exception may be enough with this value
			r, err = s.passes(ctx, n)
		}
		if err != nil || r.OK {
			s.turnOffAlike(c)
			return err
		}
	}
	return nil
}

// tryExceptions tries the exceptions that the table of directives proposes without evidence. At the end, the search
// removes those that are not needed.
func (s *search) tryExceptions(ctx context.Context, c *candidate, n int) (bool, error) {
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
	list.addEvidence(c.evidence...)
	r, err := s.passes(ctx, n)
	if err == nil && r.OK {
		return true, nil
	}
	*list = before
	return false, err
}

// maxBisected bounds the exact exceptions that are found by bisection, which takes some launches for each.
const maxBisected = 8

// findExceptions finds by bisection a smallest set of refused names that must be allowed. It reports whether there is
// one.
func (s *search) findExceptions(ctx context.Context, c *candidate, n int) (bool, error) {
	refused := c.directive.Exceptions(c.want, s.input.Version)
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
	for low := 0; len(needed) <= maxBisected; low++ {
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

// namesMatter reports whether exceptions can help. It refuses a single name at a time: a directive that fails even then
// mostly breaks the service whatever it refuses. Since the service may need just that name, there are up to two
// tries.
func (s *search) namesMatter(ctx context.Context, c *candidate, n int, refused []string) (bool, error) {
	for _, only := range slices.Compact([]int{0, len(refused) - 1}) {
		c.allowed = slices.Delete(slices.Clone(refused), only, only+1)
		if r, err := s.passes(ctx, n); err != nil || r.OK {
			return r.OK, err
		}
	}
	return false, nil
}
