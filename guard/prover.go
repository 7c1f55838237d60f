package guard

import (
	"context"
	"fmt"
	"strings"
	"time"

	"temper/internal/systemd"
)

// provingUnit proves the unit of its instance again in a place. It is a unit of its own: a guard has far less privilege
// than a place needs.
const provingUnit = "temper-renew@.service"

// A ServiceProver has units proven by instances of temper-renew@.service.
type ServiceProver struct{ Manager Manager }

// Begin starts the proof of a unit. The service stays active when the proof is over: systemd would forget how it ended.
func (p ServiceProver) Begin(ctx context.Context, unit string) error {
	name := p.instance(unit)
	s, err := p.Manager.Service(ctx, name)
	if err == nil && s.Sub == over {
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

// over is the state of a service that is active though its process has ended.
const over = "exited"

// Prove waits for a proof of a unit and says what it has come to.
func (p ServiceProver) Prove(ctx context.Context, unit string) (Proof, error) {
	if err := p.Begin(ctx, unit); err != nil {
		return Undecided, err
	}
	for {
		s, err := p.Manager.Service(ctx, p.instance(unit))
		if err != nil {
			return Undecided, err
		}
		if s.Sub == over || s.Active == "inactive" || s.Active == "failed" {
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

// outcome reads what a proof has come to from how its service ended. Whatever is no clear answer is none.
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
