package harness

import (
	"context"
	"sync"

	"temper/internal/systemd"
)

// manager is the systemd of a place, as trials use it.
type manager struct {
	*systemd.Client

	mu    sync.Mutex
	known map[string]known // what polled last saw of a unit
}

// known is the state of a unit, and when systemd had last changed it, on the monotonic clock.
type known struct {
	changed uint64
	state   state
}

// state is what systemd says about a service.
type state struct{ systemd.Service }

func newManager(client *systemd.Client) *manager {
	return &manager{Client: client, known: map[string]known{}}
}

// state returns the state of a unit that is loaded.
func (m *manager) state(ctx context.Context, unit string) (state, error) {
	s, err := m.LoadedService(ctx, unit)
	return state{s}, err
}

// polled is state for whoever asks again and again whether a unit still is what it was: its hundreds of properties are read only when it
// has changed. What systemd changes besides, the main process of a service that runs, it may not know.
func (m *manager) polled(ctx context.Context, unit string) (state, error) {
	changed, err := m.LoadedUnitChanged(ctx, unit)
	if err != nil {
		return state{}, err
	}
	m.mu.Lock()
	last, ok := m.known[unit]
	m.mu.Unlock()
	if ok && last.changed == changed {
		return last.state, nil
	}
	s, err := m.state(ctx, unit)
	if err == nil {
		m.mu.Lock()
		m.known[unit] = known{changed, s}
		m.mu.Unlock()
	}
	return s, err
}

// start makes transient units whose text is in their drop-ins, and starts the first of them. They stay loaded until
// [systemd.Client.Release], so that their end can be looked at.
func (m *manager) start(ctx context.Context, mode systemd.Mode, description string, units ...string) (string, error) {
	var all []systemd.Transient
	for _, unit := range units {
		all = append(all, systemd.Transient{Name: unit, Properties: []systemd.Property{
			{Name: "Description", Value: description}, {Name: "CollectMode", Value: "inactive-or-failed"}, {Name: "AddRef", Value: true},
		}})
	}
	return m.StartTransientUnit(ctx, mode, all[0], all[1:]...)
}

// matching lists the loaded units whose names match a pattern of glob(7).
func (m *manager) matching(ctx context.Context, pattern string) ([]string, error) {
	units, err := m.Units(ctx, nil, []string{pattern})
	var names []string
	for _, u := range units {
		names = append(names, u.Name)
	}
	return names, err
}
