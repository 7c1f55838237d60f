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

// ErrRunning says that a unit runs on this machine, where a trial of it would disturb it.
var ErrRunning = errors.New("is running, and trials on the host would disturb it")

// notRunning refuses to try a unit on the host while it runs.
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

// clearHost removes what killed proofs have left, and refuses to try a unit whose sockets are open.
func (s *series) clearHost(ctx context.Context) error {
	release, err := lock.Manager(ctx, s.at.Place, lock.Trial)
	if err != nil {
		return err
	}
	defer release()
	clone.RemoveLeftovers(ctx, s.at.Place)
	for _, socket := range s.at.activation.Sockets {
		if err := notRunning(ctx, s.at.Place, socket.ID); err != nil {
			return err
		}
	}
	return nil
}

// originals are the names of the unit and of what starts it.
func (s *series) originals() []string {
	return append(slices.Clone(s.at.activation.Starters), s.unit.ID)
}

// makeRoom stops the originals where the place has started them for others: they would answer for the trial.
func (s *series) makeRoom(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.profile.Prove.Timeout)
	defer cancel()
	if s.disableOriginals {
		if err := s.disable(ctx); err != nil {
			return err
		}
	}
	for _, name := range s.originals() {
		state, err := s.at.Manager().LoadedService(ctx, name)
		if errors.Is(err, systemd.ErrNotLoaded) {
			continue
		}
		if err != nil {
			return err
		}
		s.at.sharesBusName = s.at.sharesBusName || name == s.unit.ID
		if state.Active == "inactive" || state.Active == "failed" {
			continue
		}
		result, err := s.at.Manager().StopUnit(ctx, name)
		if err == nil && result != systemd.Done {
			err = errors.New("job " + result)
		}
		if err != nil {
			return fmt.Errorf("stop %s, which runs in the place: %w", name, err)
		}
	}
	return nil
}

// disablingDropin is read after all others of a unit. A unit whose condition is not met does nothing when it is
// started, and those that need it start all the same.
const disablingDropin = ".d/zz-temper.conf"

// disable makes the originals do nothing when they are started.
func (s *series) disable(ctx context.Context) error {
	files := map[string]string{}
	for _, name := range s.originals() {
		files[name+disablingDropin] = "[Unit]\nConditionPathExists=!/\n"
	}
	s.at.disabled = true
	if err := clone.Write(s.at.Place, files); err != nil {
		return err
	}
	return Reload(ctx, s.at.Place)
}

// enable takes back what disable has done.
func (s *series) enable(ctx context.Context) error {
	for _, name := range s.originals() {
		file := path.Join(clone.Dir, name+disablingDropin)
		_ = s.at.Root().Remove(file)
		_ = s.at.Root().Remove(path.Dir(file)) // it stays where others have files there
	}
	return Reload(ctx, s.at.Place)
}
