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

// readyPlace is a place that is prepared for launches of the service.
type readyPlace struct {
	*place.Place
	own           bool                       // the series has booted the place and must close it
	began         time.Time                  // when the place was ready for the first launch
	kernelState   map[string]string          // of the place at that time; nil if no other place can be booted
	files         map[string]place.FileState // of the place at that time; nil if no other place can be booted
	activation    clone.Activation
	sharesBusName bool // see clone.Clone
	disabled      bool // the originals are disabled
}

// ExistedAtStart reports whether a file of the place existed before the first launch.
func (p readyPlace) ExistedAtStart(name string) bool { return p.Place.ExistedBefore(name, p.began) }

// prepare runs the setup commands of the profile in the current place, and stops what would disturb a launch there.
func (s *series) prepare(ctx context.Context) (err error) {
	if err := trial.SetUp(ctx, s.current.Place, s.profile, s.unit.ID); err != nil {
		return fmt.Errorf("%s: %w", s.profile.Path, err)
	}
	if s.newPlace != nil {
		if s.current.kernelState, err = s.current.KernelState(); err != nil {
			return err
		}
		if s.current.files, err = s.current.FileStates(); err != nil {
			return err
		}
	}
	s.current.began = time.Now()
	loader := &unit.Loader{Root: s.current.Root(), Version: s.current.SystemdVersion(), Context: ctx}
	if s.current.activation, err = clone.FindActivation(loader, s.unit); err != nil {
		return err
	}
	if s.current.Kind() == "host" {
		s.current.sharesBusName = true
		return s.clearHost(ctx)
	}
	return s.stopOriginals(ctx)
}

// leavePlace undoes what the series has changed in its place, or closes the place if the series has booted it.
func (s *series) leavePlace(ctx context.Context) error {
	var err error
	if s.current.disabled && !s.current.own {
		err = s.enable(ctx)
	}
	if s.current.own {
		err = errors.Join(err, s.current.Close())
	}
	return err
}
