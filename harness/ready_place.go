package harness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"temper/harness/clone"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/unit"
)

// readyPlace is a place in which a service can be launched: it is set up, and nothing stands in the way.
type readyPlace struct {
	*place.Place
	own           bool              // it is closed with the series: it was booted for it
	began         time.Time         // when everything was ready for the first launch
	kernelState   map[string]string // of the place at that time; nil if there is no other place
	activation    clone.Activation
	sharesBusName bool // as clone.Clone has it
	disabled      bool // the originals are
}

// Had reports whether what is at a path of the place was there before the first launch.
func (p readyPlace) Had(name string) bool { return p.Place.ExistedBefore(name, p.began) }

// prepare runs what the profile wants done before the first launch in a place, and sees to it that nothing is in the
// way.
func (s *series) prepare(ctx context.Context) (err error) {
	if err := trial.SetUp(ctx, s.at.Place, s.profile, s.unit.ID); err != nil {
		return fmt.Errorf("%s: %w", s.profile.Path, err)
	}
	if s.another != nil {
		if s.at.kernelState, err = s.at.KernelState(); err != nil {
			return err
		}
	}
	s.at.began = time.Now()
	loader := &unit.Loader{Root: s.at.Root(), Version: s.at.SystemdVersion()}
	if s.at.activation, err = clone.FindActivation(loader, s.unit); err != nil {
		return err
	}
	if s.at.Kind() == "host" {
		s.at.sharesBusName = true
		return s.clearHost(ctx)
	}
	return s.makeRoom(ctx)
}

// leave ends what the series has of its place, and the place itself if it is not that of the caller.
func (s *series) leave(ctx context.Context) error {
	var err error
	if s.at.disabled && !s.at.own {
		err = s.enable(ctx)
	}
	if s.at.own {
		err = errors.Join(err, s.at.Close())
	}
	return err
}
