package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"temper/harness/lock"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/hint"
	"temper/internal/systemd"
	"temper/internal/unit"
	"temper/profiles"
)

// readyPlace is a place in which a service can be launched: it is set up, and nothing stands in the way.
type readyPlace struct {
	*place.Place
	own           bool              // it is closed with the session: it was booted for it
	began         time.Time         // when everything was ready for the first launch
	kernelState   map[string]string // of the place at that time; nil if there is no other place
	activation    trial.Activation
	sharesBusName bool // as trial.Launcher has it
	disabled      bool // the originals are
}

// Had reports whether what is at a path of the place was there before the first launch.
func (p readyPlace) Had(name string) bool { return p.Place.ExistedBefore(name, p.began) }

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

// prepare runs what the profile wants done before the first launch in a place, and sees to it that nothing is in the way.
func (s *session) prepare(ctx context.Context) (err error) {
	if err := setUp(ctx, s.at.Place, s.profile, s.unit.ID); err != nil {
		return fmt.Errorf("%s: %w", s.profile.Path, err)
	}
	if s.another != nil {
		if s.at.kernelState, err = s.at.KernelState(); err != nil {
			return err
		}
	}
	s.at.began = time.Now()
	loader := &unit.Loader{Root: s.at.Root(), Version: s.at.SystemdVersion()}
	if s.at.activation, err = trial.FindActivation(loader, s.unit); err != nil {
		return err
	}
	if s.at.Kind() == "host" {
		s.at.sharesBusName = true
		return s.clearHost(ctx)
	}
	return s.makeRoom(ctx)
}

// setUp runs the commands of a profile in the place.
func setUp(ctx context.Context, where *place.Place, p *profiles.Profile, unit string) error {
	for _, line := range p.Prove.Setup {
		r, err := where.Run(ctx, place.Command{
			Args: []string{"/bin/sh", "-c", line}, Env: trial.Variables(where, unit, "setup"), Timeout: p.Prove.Timeout,
		})
		if err != nil {
			return fmt.Errorf("setup %q: %w", line, err)
		}
		if r.Status != 0 {
			return fmt.Errorf("setup %q: exit status %d: %s", line, r.Status, r.Stderr)
		}
	}
	return nil
}

// clearHost removes what killed proofs have left, and refuses to try a unit whose sockets are open.
func (s *session) clearHost(ctx context.Context) error {
	release, err := lock.Manager(ctx, s.at.Place, lock.Trial)
	if err != nil {
		return err
	}
	defer release()
	trial.RemoveLeftovers(ctx, s.at.Place)
	for _, socket := range s.at.activation.Sockets {
		if err := notRunning(ctx, s.at.Place, socket.ID); err != nil {
			return err
		}
	}
	return nil
}

// originals are the names of the unit and of what starts it.
func (s *session) originals() []string {
	return append(slices.Clone(s.at.activation.Starters), s.unit.ID)
}

// makeRoom stops the originals where the place has started them for others: they would answer for the trial.
func (s *session) makeRoom(ctx context.Context) error {
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

// disablingDropin is read after all others of a unit. A unit whose condition is not met does nothing when it is started, and those
// that need it start all the same.
const disablingDropin = ".d/zz-temper.conf"

// disable makes the originals do nothing when they are started.
func (s *session) disable(ctx context.Context) error {
	files := map[string]string{}
	for _, name := range s.originals() {
		files[name+disablingDropin] = "[Unit]\nConditionPathExists=!/\n"
	}
	s.at.disabled = true
	if err := trial.WriteUnits(s.at.Place, files); err != nil {
		return err
	}
	return Reload(ctx, s.at.Place)
}

// enable takes back what disable has done.
func (s *session) enable() error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for _, name := range s.originals() {
		if file, err := s.at.Root().Path(path.Join(trial.UnitDir, name+disablingDropin)); err == nil {
			os.Remove(file)
			os.Remove(filepath.Dir(file)) // it stays where others have files there
		}
	}
	return Reload(ctx, s.at.Place)
}

// leave ends what the session has of its place, and the place itself if it is not that of the caller.
func (s *session) leave() error {
	var err error
	if s.at.disabled && !s.at.own {
		err = s.enable()
	}
	if s.at.own {
		err = errors.Join(err, s.at.Close())
	}
	return err
}
