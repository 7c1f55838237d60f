package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"temper/harness/blame"
	"temper/harness/clone"
	"temper/harness/place/hostcopy"
	"temper/harness/servicedata"
	"temper/internal/hint"
	"temper/internal/unit"
	"temper/profiles"
)

// hostProtection protects the service on the host from trials, and also its data if the profile says so. The zero value
// protects nothing, which is right for a container.
type hostProtection struct {
	unit    string               // the unit without which no trial may run; see startConflicting
	copies  hostcopy.Directories // the directories of data that are copied
	uncover func() error         // unmounts the copies; nil while there are none
}

// protect begins the protection. Its caller ends it with unprotect, also after an error.
func (s *series) protect(ctx context.Context) error {
	loader := &unit.Loader{Root: s.current.Root(), Version: s.current.SystemdVersion()}
	activation, err := clone.FindActivation(loader, s.unit)
	if err != nil {
		return err
	}
	others := append(slices.Clone(activation.Starters), s.unit.ID)
	if s.profile.Prove.State != profiles.StateRestore {
		return s.startConflicting(ctx, others, hostcopy.Directories{})
	}
	copies, err := servicedata.Of(s.unit, s.profile)
	if err == nil {
		err = s.canCopy(copies)
	}
	if err != nil {
		return err
	}
	sharers, err := s.sharers(ctx, loader, copies)
	if err != nil {
		return err
	}
	if err := s.startConflicting(ctx, append(others, sharers...), copies); err != nil {
		return err
	}
	s.alwaysFresh = len(s.profile.Prove.Setup) == 0 // the setup commands run only once
	s.protection.uncover, err = s.current.CopyOver(ctx, copies)
	return err
}

// unprotect ends the protection and gives the service its data back.
func (s *series) unprotect(ctx context.Context) error {
	err := s.uncover()
	s.stopConflicting(ctx)
	return err
}

// uncover unmounts the copies of the data, if there are any.
func (s *series) uncover() error {
	uncover := s.protection.uncover
	s.protection.uncover = nil
	if uncover == nil {
		return nil
	}
	return uncover()
}

// canCopy returns an error if the data cannot be copied on the host.
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
	if err := s.uncover(); err != nil {
		return err
	}
	uncover, err := s.current.CopyOver(ctx, s.protection.copies)
	if err == nil {
		s.current.began, s.protection.uncover = time.Now(), uncover
	}
	return err
}

// sharers lists the other services whose units say that they write to a directory that is copied. It returns an error
// if one of them runs: what it writes would be lost.
func (s *series) sharers(ctx context.Context, loader *unit.Loader, copies hostcopy.Directories) ([]string, error) {
	names, err := loader.List(".service")
	if err != nil {
		return nil, err
	}
	var sharers []string
	for _, name := range names {
		u, err := loader.Load(name)
		if err != nil || unit.IsTemplate(name) || u.ID == s.unit.ID || clone.IsClone(name) {
			continue // a unit that cannot be loaded writes nothing; lock.Proof waits for other proofs
		}
		theirs, _ := servicedata.Of(u, &profiles.Profile{}) // its links matter to a proof of that service only
		dir := servicedata.Overlap(copies.Over, theirs.Over)
		if dir == "" {
			continue
		}
		if err := notRunning(ctx, s.current.Place, u.ID); errors.Is(err, ErrRunning) {
			return nil, hint.With(fmt.Errorf("%s: state = %q: %s runs, and writes to %s too",
				s.unit.ID, profiles.StateRestore, u.ID, dir), "temper prove --place container "+s.unit.ID)
		} else if err != nil {
			return nil, err
		}
		sharers = append(sharers, u.ID)
	}
	return sharers, nil
}
