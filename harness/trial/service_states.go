package trial

import (
	"context"
	"math"
	"path/filepath"
	"strings"
	"time"

	"temper/harness/confine"
	"temper/harness/place"
	"temper/harness/proc"
	"temper/internal/systemd"
	"temper/internal/unit"
)

// states reads the states of the services of one launch, and caches them.
type states struct {
	manager *systemd.Client
	known   map[string]knownState
}

// knownState is the state of a service, and when systemd had last changed it, on the monotonic clock.
type knownState struct {
	changed uint64
	service systemd.Service
}

func newStates(manager *systemd.Client) states { return states{manager, map[string]knownState{}} }

// now returns the state of a service that is loaded.
func (s states) now(ctx context.Context, name string) (systemd.Service, error) {
	return s.manager.LoadedService(ctx, name)
}

// polled is a cheaper now for polling: it reads the hundreds of properties of a service only after its state has
// changed. It may miss a change of the main process, which does not change the state.
func (s states) polled(ctx context.Context, name string) (systemd.Service, error) {
	changed, err := s.manager.LoadedUnitChanged(ctx, name)
	if err != nil {
		return systemd.Service{}, err
	}
	if last, ok := s.known[name]; ok && last.changed == changed {
		return last.service, nil
	}
	service, err := s.now(ctx, name)
	if err == nil {
		s.known[name] = knownState{changed, service}
	}
	return service, err
}

// services lists the names of the service, or of its instances that are loaded.
func (l *launch) services(ctx context.Context) ([]string, error) {
	if !unit.IsTemplate(l.name) {
		return []string{l.name}, nil
	}
	units, err := l.states.manager.Units(ctx, nil, []string{l.pattern()})
	var names []string
	for _, u := range units {
		names = append(names, u.Name)
	}
	return names, err
}

// pattern matches the names of the services of the launch.
func (l *launch) pattern() string { return strings.Replace(l.name, "@.", "@*.", 1) }

// now returns the states of the services.
func (l *launch) now(ctx context.Context) ([]systemd.Service, error) {
	return l.read(ctx, l.states.now)
}

// polled returns what now does, by [states.polled].
func (l *launch) polled(ctx context.Context) ([]systemd.Service, error) {
	return l.read(ctx, l.states.polled)
}

func (l *launch) read(
	ctx context.Context, one func(context.Context, string) (systemd.Service, error),
) ([]systemd.Service, error) {
	names, err := l.services(ctx)
	if err != nil {
		return nil, err
	}
	var list []systemd.Service
	for _, name := range names {
		s, err := one(ctx, name)
		switch {
		case err == nil:
			list = append(list, s)
		case !unit.IsTemplate(l.name): // systemd unloads an instance that has ended without a failure
			return nil, err
		}
	}
	return list, nil
}

// cgroup is the control group of the launch, or the one that its instances share, below that of the place.
func (l *launch) cgroup() string { return l.Clone.Cgroup(unit.Prefix(l.name)) }

// Processes lists the processes of a service by their ids on this machine, not in the place.
func Processes(where *place.Place, s systemd.Service) []int {
	if s.Cgroup == "" {
		return nil
	}
	return proc.InCgroup(filepath.Join(where.Cgroup(), s.Cgroup))
}

// PIDs lists the processes of the service, by their ids on this machine.
func (l *launch) PIDs(ctx context.Context) ([]int, error) {
	states, err := l.now(ctx)
	var pids []int
	for _, s := range states {
		pids = append(pids, Processes(l.Place, s)...)
	}
	return pids, err
}

// A RunningUnit is a unit of a place outside of trials.
type RunningUnit struct {
	Place *place.Place
	Name  string
}

// PIDs lists the processes of the unit, by their ids on this machine.
func (u RunningUnit) PIDs(ctx context.Context) ([]int, error) {
	s, err := u.Place.Manager().LoadedService(ctx, u.Name)
	return Processes(u.Place, s), err
}

// MainProcess is the id on this machine of the main process of a service; 0 if it has none.
func MainProcess(where *place.Place, s systemd.Service) int {
	return proc.Machine.Find(Processes(where, s), where.Leader(), int(s.PID))
}

// Subject is the main process of a service, for [confine.Read].
func Subject(where *place.Place, s systemd.Service) confine.Subject {
	return confine.Subject{
		PID: MainProcess(where, s), Leader: where.Leader(), Cgroups: []string{filepath.Join(where.Cgroup(), s.Cgroup)},
		Property: func(directive string) any { return s.Properties[directive] }, Version: where.SystemdVersion(),
	}
}

// watchdog is how long systemd waits for a sign of life of a service; 0 if it does not.
func watchdog(s systemd.Service) time.Duration {
	usec := systemd.Get[uint64](s.Properties, "WatchdogUSec")
	if usec >= math.MaxInt64/1000 { // systemd's infinity
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// wait waits for a duration, or until ctx ends, which is an error.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
