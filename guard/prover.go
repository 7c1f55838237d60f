package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"temper/internal/systemd"
)

// provingUnit is the template of the services that prove a unit in a place. The guard cannot do that itself: it has far
// fewer privileges than a place needs.
const provingUnit = "temper-renew@.service"

// A ServiceProver proves units by starting instances of temper-renew@.service.
type ServiceProver struct{ Manager Manager }

// Begin starts the proof of a unit. The service stays active after the proof, so that systemd keeps its exit status.
func (p ServiceProver) Begin(ctx context.Context, unit string) error {
	name := p.instance(unit)
	s, err := p.Manager.Service(ctx, name)
	if err == nil && s.Sub == exitedState {
		_, err = p.Manager.StopUnit(ctx, name)
	}
	if err == nil {
		_, err = p.Manager.StartUnit(ctx, name)
	}
	if err != nil {
		return fmt.Errorf("have %s proven: %w", unit, err)
	}
	return nil
}

// exitedState is the sub-state of a service that is active although its process has ended.
const exitedState = "exited"

// Prove runs a proof of a unit and returns its result.
func (p ServiceProver) Prove(ctx context.Context, unit string) (Proof, error) {
	if err := p.Begin(ctx, unit); err != nil {
		return Undecided, err
	}
	for {
		s, err := p.Manager.Service(ctx, p.instance(unit))
		if err != nil {
			return Undecided, err
		}
		if s.Sub == exitedState || s.Active == "inactive" || s.Active == "failed" {
			_, err := p.Manager.StopUnit(ctx, p.instance(unit))
			return outcome(s), err
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return Undecided, err
		}
	}
}

func (ServiceProver) instance(unit string) string {
	return strings.Replace(provingUnit, "@", "@"+strings.TrimSuffix(unit, ".service"), 1)
}

// Exit statuses of temper renew UNIT.
const (
	ExitProven    = 0
	ExitUndecided = 1
	ExitNoPlace   = 3
)

// outcome translates how the service of a proof ended. Whatever is no clear result is Undecided.
func outcome(s systemd.Service) Proof {
	switch {
	case s.Code != systemd.Exited:
		return Undecided
	case s.Status == ExitProven:
		return Proven
	case s.Status == ExitNoPlace:
		return NoPlace
	}
	return Undecided
}
