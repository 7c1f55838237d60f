package search

import (
	"context"

	"temper/harness/confine"
	"temper/harness/witness"
	"temper/internal/verdict"
)

// leaveOutUnwanted removes the directives that had no effect in the launch that passed, since the launch proved nothing
// about them, and elsewhere they may break the service. It also steps those down that open what is closed without
// hardening. Each launch compares anew, until there is nothing more to remove.
func (s *search) leaveOutUnwanted(ctx context.Context) error {
	var seen confine.Confinement // what the last launch that showed something showed
	s.attempts.patience = Longer // a failure here is not looked into
	for {
		plan := s.plan(len(s.candidates))
		r, err := s.attempts.try(ctx, plan)
		if err == nil && !r.OK {
			err = flaky(r.Failures)
		}
		if err == nil && r.NoEffect == nil && r.Dropin != "" {
			r.Confinement, err = s.trier.StandIn(ctx, plan)
			if r.NoEffect == nil {
				r.Confinement = seen
			}
			s.attempts.set(r)
		}
		seen = r.Confinement
		if err != nil || !s.leaveOut(r.Confinement) && !s.closeAgain(r.Weakens) {
			return err
		}
	}
}

// leaveOut removes the directives that had no effect. It reports whether there are any.
func (s *search) leaveOut(seen confine.Confinement) bool {
	known := len(s.leftOut)
	for name, instead := range seen.NoEffect {
		s.leftOut[name] = "has no effect here: " + instead
	}
	return len(s.leftOut) > known
}

// closeAgain steps the directives down that open what is closed without hardening. It reports whether there are any.
func (s *search) closeAgain(weakens map[string]string) bool {
	stepped := false
	for _, c := range s.candidates {
		if text, opens := weakens[c.directive.Name]; opens && !c.isOff() {
			c.stepDown(witness.Restriction{})
			c.opens, stepped = true, true
			c.evidence = append(c.evidence, verdict.Evidence{Kind: "mounts", Text: text})
		}
	}
	return stepped
}
