package harness

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"temper/harness/clone"
	"temper/harness/lock"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/systemd"
)

// ErrRunning says that a unit runs on this machine, so that a trial there would disturb it.
var ErrRunning = errors.New("is running, and trials on the host would disturb it")

// notRunning returns an error if the place is the host and a unit runs there.
func notRunning(ctx context.Context, where *place.Place, name string) error {
	if where.Kind() != "host" {
		return nil
	}
	s, err := where.Manager().Service(ctx, name)
	if err != nil {
		return err
	}
	if s.Active != "inactive" && s.Active != "failed" {
		return hint.With(fmt.Errorf("%s: %w", name, ErrRunning), "temper prove --place container "+name)
	}
	return nil
}

// clearHost removes what killed proofs have left, and returns an error if a socket unit of the service is active.
func (s *series) clearHost(ctx context.Context) error {
	release, err := lock.Manager(ctx, s.current.Place, lock.Trial)
	if err != nil {
		return err
	}
	defer release()
	clone.RemoveLeftovers(ctx, s.current.Place)
	for _, socket := range s.current.activation.Sockets {
		if err := notRunning(ctx, s.current.Place, socket.ID); err != nil {
			return err
		}
	}
	return nil
}

// originals are the names of the unit itself and of the units that start it, as opposed to their clones.
func (s *series) originals() []string {
	return append(slices.Clone(s.current.activation.Starters), s.unit.ID)
}

// stopOriginals stops the originals if another unit of the place has started them: clients would reach them instead of
// the trial.
func (s *series) stopOriginals(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.profile.Prove.Timeout)
	defer cancel()
	if s.disableOriginals {
		if err := s.disable(ctx); err != nil {
			return err
		}
	}
	for _, name := range s.originals() {
		state, err := s.current.Manager().LoadedService(ctx, name)
		if errors.Is(err, systemd.ErrNotLoaded) {
			continue
		}
		if err != nil {
			return err
		}
		s.current.sharesBusName = s.current.sharesBusName || name == s.unit.ID
		if state.Active == "inactive" || state.Active == "failed" {
			continue
		}
		result, err := s.current.Manager().StopUnit(ctx, name)
		if err == nil && result != systemd.Done {
			err = errors.New("job " + result)
		}
		if err != nil {
			return fmt.Errorf("stop %s, which runs in the place: %w", name, err)
		}
	}
	return nil
}

// disablingDropin is read after all other drop-ins of a unit. It sets a condition that is never met: then a start of
// the unit does nothing, and units that require it start all the same.
const disablingDropin = ".d/zz-temper.conf"

// disable gives the originals the drop-in by which a start of them does nothing.
func (s *series) disable(ctx context.Context) error {
	files := map[string]string{}
	for _, name := range s.originals() {
		files[name+disablingDropin] = "[Unit]\nConditionPathExists=!/\n"
	}
	s.current.disabled = true
	if err := clone.Write(s.current.Place, files); err != nil {
		return err
	}
	return Reload(ctx, s.current.Place)
}

// enable removes the drop-ins that disable has written.
func (s *series) enable(ctx context.Context) error {
	for _, name := range s.originals() {
		file := path.Join(clone.Dir, name+disablingDropin)
		_ = s.current.Root().Remove(file)
		_ = s.current.Root().Remove(path.Dir(file)) // fails if it holds other drop-ins
	}
	return Reload(ctx, s.current.Place)
}
