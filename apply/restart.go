package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"temper/internal/systemd"
	"temper/profiles"
)

// startLimit is how long a unit may take to stop and to start, not counting the time for which it must stay up.
const startLimit = 3 * time.Minute

// settle is how long the service must stay up.
func (j *job) settle() time.Duration {
	if j.decision.Profile == nil {
		return profiles.DefaultSettle
	}
	return j.decision.Profile.Prove.Settle
}

// restart restarts the unit in one job of the manager, which goes on even if this process is killed, and returns an
// error unless it stays up.
func (j *job) restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit+j.settle())
	defer cancel()
	manager, name := j.place.Manager(), j.decision.Unit
	if err := manager.ResetFailed(ctx, name); err != nil && !errors.Is(err, systemd.ErrNotLoaded) {
		return err
	}
	result, err := manager.RestartUnit(ctx, name)
	if err != nil {
		return err
	}
	if result != systemd.Done {
		return fmt.Errorf("it does not start: its job ended with %q", result)
	}
	first, err := manager.Service(ctx, name)
	if err != nil {
		return err
	}
	for until := time.Now().Add(j.settle()); ; {
		now, err := manager.Service(ctx, name)
		if err != nil {
			return err
		}
		if err := hasFailed(first, now); err != nil || time.Now().After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// hasFailed returns how a service has failed since an earlier look at it; nil if it has not.
func hasFailed(before, now systemd.Service) error {
	switch {
	case now.Active == "failed":
		return fmt.Errorf("it has failed: %s", now.Result)
	case now.Active == "activating" && now.PID == 0, now.Restarts > before.Restarts:
		return errors.New("it has failed, and systemd starts it again")
	case now.Active == "inactive" && before.Active == "active" && now.Result != "success":
		return fmt.Errorf("it has ended: %s", now.Result)
	}
	return nil
}
