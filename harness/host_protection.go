package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"temper/harness/blame"
	"temper/harness/place/hostcopy"
	"temper/harness/servicedata"
	"temper/harness/trial"
	"temper/internal/hint"
	"temper/internal/unit"
	"temper/profiles"
)

// hostProtection keeps trials on the host off the service itself, and off its data where the profile says so. The zero
// value is that of a container.
type hostProtection struct {
	unit    string // without which no trial may run; see startConflicting
	copies  hostcopy.Directories
	uncover func() error // takes the copies away; nil while there are none
	release func()       // ends the unit; nil if there is none
}

// protect begins what hostProtection keeps.
func (s *series) protect(ctx context.Context) (_ hostProtection, err error) {
	loader := &unit.Loader{Root: s.at.Root(), Version: s.at.SystemdVersion()}
	activation, err := trial.FindActivation(loader, s.unit)
	if err != nil {
		return hostProtection{}, err
	}
	others := append(slices.Clone(activation.Starters), s.unit.ID)
	if s.profile.Prove.State != profiles.StateRestore {
		return s.startConflicting(ctx, others, hostcopy.Directories{})
	}
	copies := servicedata.Of(s.unit, s.profile)
	if err := s.canCopy(copies); err != nil {
		return hostProtection{}, err
	}
	sharers, err := s.sharers(ctx, loader, copies)
	if err != nil {
		return hostProtection{}, err
	}
	d, err := s.startConflicting(ctx, append(others, sharers...), copies)
	if err != nil {
		return d, err
	}
	if d.uncover, err = s.at.CopyOver(ctx, copies); err != nil {
		d.release()
		return hostProtection{}, err
	}
	s.fresh = len(s.profile.Prove.Setup) == 0 // what it did cannot be done twice
	return d, nil
}

// canCopy refuses data of which the host can have no copy.
func (s *series) canCopy(copies hostcopy.Directories) error {
	refuse := func(format string, args ...any) error {
		err := fmt.Errorf("%s: state = %q: "+format, append([]any{s.unit.ID, profiles.StateRestore}, args...)...)
		return hint.With(err, "temper prove --place container "+s.unit.ID)
	}
	if len(copies.Make) > 0 && servicedata.Moves(s.unit, s.profile) {
		return refuse("a user of its own would have systemd move the service's directories, " +
			"which the host has no copy of")
	}
	for _, dir := range copies.Over {
		if blame.IsShared(dir) {
			return refuse("the service may write to %s, where others write too and the host has no copy of it", dir)
		}
	}
	return nil
}

// restoreData gives the next launch the data as it was before the first one.
func (s *series) restoreData(ctx context.Context) error {
	if err := s.protection.uncoverOnce(); err != nil {
		return err
	}
	uncover, err := s.at.CopyOver(ctx, s.protection.copies)
	if err == nil {
		s.at.began, s.protection.uncover = time.Now(), uncover
	}
	return err
}

// putBack gives the service its data back.
func (d *hostProtection) putBack() error {
	err := d.uncoverOnce()
	if d.release != nil {
		d.release()
	}
	return err
}

func (d *hostProtection) uncoverOnce() error {
	uncover := d.uncover
	d.uncover = nil
	if uncover == nil {
		return nil
	}
	return uncover()
}

// sharers lists the other services that, by their units, write to a directory of which copies are made. The error is
// set if one of them runs: what it writes would be lost.
func (s *series) sharers(ctx context.Context, loader *unit.Loader, copies hostcopy.Directories) ([]string, error) {
	names, err := loader.List(".service")
	if err != nil {
		return nil, err
	}
	var sharers []string
	for _, name := range names {
		u, err := loader.Load(name)
		if err != nil || unit.IsTemplate(name) || u.ID == s.unit.ID || trial.IsTrial(name) {
			continue // what systemd cannot load either writes nothing; other proofs are waited for
		}
		dir := servicedata.Overlap(copies.Over, servicedata.Of(u, &profiles.Profile{}).Over)
		if dir == "" {
			continue
		}
		if err := notRunning(ctx, s.at.Place, u.ID); errors.Is(err, ErrRunning) {
			return nil, hint.With(fmt.Errorf("%s: state = %q: %s runs, and writes to %s too",
				s.unit.ID, profiles.StateRestore, u.ID, dir), "temper prove --place container "+s.unit.ID)
		} else if err != nil {
			return nil, err
		}
		sharers = append(sharers, u.ID)
	}
	return sharers, nil
}
