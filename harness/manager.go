package harness

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	systemdName      = "org.freedesktop.systemd1"
	systemdPath      = dbus.ObjectPath("/org/freedesktop/systemd1")
	managerInterface = systemdName + ".Manager"
	unitInterface    = systemdName + ".Unit"
	serviceInterface = systemdName + ".Service"
)

// manager talks to the systemd of a place and waits for its jobs; see org.freedesktop.systemd1(5).
type manager struct {
	bus     *dbus.Conn
	object  dbus.BusObject
	signals chan *dbus.Signal
	closed  chan struct{}

	mu      sync.Mutex
	waiting map[dbus.ObjectPath]chan string
	early   map[dbus.ObjectPath]string // results that came before anybody waited for them
	known   map[string]known           // what polled last saw of a unit
}

// known is the state of a unit, and when systemd had last changed it, on the monotonic clock.
type known struct {
	changed uint64
	state   state
}

func newManager(bus *dbus.Conn) (*manager, error) {
	m := &manager{
		bus:     bus,
		object:  bus.Object(systemdName, systemdPath),
		signals: make(chan *dbus.Signal, 256),
		closed:  make(chan struct{}),
		waiting: map[dbus.ObjectPath]chan string{},
		early:   map[dbus.ObjectPath]string{},
		known:   map[string]known{},
	}
	err := bus.AddMatchSignal(dbus.WithMatchInterface(managerInterface), dbus.WithMatchMember("JobRemoved"))
	if err != nil {
		return nil, fmt.Errorf("watch systemd's jobs: %w", err)
	}
	bus.Signal(m.signals)
	go m.dispatch()
	if err := m.object.Call(managerInterface+".Subscribe", 0).Err; err != nil {
		m.close()
		return nil, fmt.Errorf("subscribe to systemd: %w", err)
	}
	return m, nil
}

func (m *manager) close() {
	m.object.Call(managerInterface+".Unsubscribe", 0) // fails only where the place is gone, and the subscription with it
	m.bus.RemoveSignal(m.signals)
	close(m.closed)
}

func (m *manager) dispatch() {
	for {
		var s *dbus.Signal
		select {
		case <-m.closed:
			return
		case s = <-m.signals: // closed with the connection, where the place has gone
		}
		if s == nil {
			return
		}
		if s.Name != managerInterface+".JobRemoved" || len(s.Body) != 4 {
			continue
		}
		job, _ := s.Body[1].(dbus.ObjectPath)
		result, _ := s.Body[3].(string)
		m.mu.Lock()
		if c, ok := m.waiting[job]; ok {
			c <- result
			delete(m.waiting, job)
		} else {
			m.early[job] = result
		}
		m.mu.Unlock()
	}
}

// errTimeout says that a job did not end in time.
var errTimeout = errors.New("timed out")

// job starts a job by a method of the manager and returns how it ended: done, failed, timeout, dependency, canceled ...
// The error wraps errTimeout if ctx ends first.
func (m *manager) job(ctx context.Context, method string, args ...any) (string, error) {
	var job dbus.ObjectPath
	if err := m.object.CallWithContext(ctx, managerInterface+"."+method, 0, args...).Store(&job); err != nil {
		return "", fmt.Errorf("%s: %w", method, err)
	}
	m.mu.Lock()
	result, done := m.early[job]
	delete(m.early, job)
	c := make(chan string, 1)
	if !done {
		m.waiting[job] = c
	}
	m.mu.Unlock()
	if done {
		return result, nil
	}
	select {
	case result = <-c:
		return result, nil
	case <-ctx.Done():
		m.mu.Lock()
		delete(m.waiting, job)
		m.mu.Unlock()
		return "", fmt.Errorf("%s: %w", method, errTimeout)
	}
}

// state is what systemd says about a unit.
type state struct {
	Active, Sub string
	Result      string // "success", "exit-code", "signal" ...
	Code        int32  // CLD_EXITED (1), CLD_KILLED (2), CLD_DUMPED (3) of the last main process
	Status      int32  // its exit status or signal
	PID         uint32
	ControlPID  uint32
	Cgroup      string
	CanReload   bool
	Restarts    uint32
	Commands    []command
	Properties  map[string]dbus.Variant // of the service
}

// A command is one of a service that has ended, and how.
type command struct {
	name         string // "ExecStartPre=/bin/x", and which it is where there are several
	Code, Status int32  // as in state
}

// state returns the state of a unit that is loaded.
func (m *manager) state(unit string) (state, error) { return m.stateBy("GetUnit", unit) }

// loaded loads a unit if need be and returns its state.
func (m *manager) loaded(unit string) (state, error) { return m.stateBy("LoadUnit", unit) }

func (m *manager) stateBy(method, unit string) (state, error) {
	o, err := m.lookUp(method, unit)
	if err != nil {
		return state{}, err
	}
	return readState(o, unit)
}

// polled is state for whoever asks again and again whether a unit still is what it was: its hundreds of properties are read only when it
// has changed. What systemd changes besides, the main process of a service that runs, it may not know.
func (m *manager) polled(unit string) (state, error) {
	o, err := m.lookUp("GetUnit", unit)
	if err != nil {
		return state{}, err
	}
	v, err := o.GetProperty(unitInterface + ".StateChangeTimestampMonotonic")
	if err != nil {
		return state{}, fmt.Errorf("read the state of %s: %w", unit, err)
	}
	changed, _ := v.Value().(uint64)
	m.mu.Lock()
	last, ok := m.known[unit]
	m.mu.Unlock()
	if ok && last.changed == changed {
		return last.state, nil
	}
	s, err := readState(o, unit)
	if err == nil {
		m.mu.Lock()
		m.known[unit] = known{changed, s}
		m.mu.Unlock()
	}
	return s, err
}

func (m *manager) lookUp(method, unit string) (dbus.BusObject, error) {
	var path dbus.ObjectPath
	if err := m.object.Call(managerInterface+"."+method, 0, unit).Store(&path); err != nil {
		return nil, fmt.Errorf("look up %s: %w", unit, err)
	}
	return m.bus.Object(systemdName, path), nil
}

func readState(o dbus.BusObject, unit string) (state, error) {
	var u, s map[string]dbus.Variant
	if err := o.Call("org.freedesktop.DBus.Properties.GetAll", 0, unitInterface).Store(&u); err != nil {
		return state{}, fmt.Errorf("read the state of %s: %w", unit, err)
	}
	if err := o.Call("org.freedesktop.DBus.Properties.GetAll", 0, serviceInterface).Store(&s); err != nil {
		return state{}, fmt.Errorf("read the state of %s: %w", unit, err)
	}
	return state{
		Active: property[string](u, "ActiveState"), Sub: property[string](u, "SubState"),
		Result: property[string](s, "Result"), CanReload: property[bool](u, "CanReload"), Restarts: property[uint32](s, "NRestarts"),
		Code: property[int32](s, "ExecMainCode"), Status: property[int32](s, "ExecMainStatus"),
		PID: property[uint32](s, "MainPID"), ControlPID: property[uint32](s, "ControlPID"),
		Cgroup: property[string](s, "ControlGroup"), Commands: commands(s), Properties: s,
	}, nil
}

// commands reads how the commands of a service ended; their type is a(sasbttttuii), the last three being pid, code, status.
func commands(properties map[string]dbus.Variant) []command {
	var run []command
	for _, name := range []string{
		"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecReloadPost", "ExecStop", "ExecStopPost",
	} {
		for i, c := range property[[][]any](properties, name) {
			if len(c) != 10 {
				continue
			}
			path, _ := c[0].(string)
			code, _ := c[8].(int32)
			status, _ := c[9].(int32)
			if label := name + "=" + path; code != 0 {
				if i > 0 {
					label += fmt.Sprintf(" (number %d)", i+1)
				}
				run = append(run, command{label, code, status})
			}
		}
	}
	return run
}

// property returns a property, the zero value where this systemd has none of that name and type.
func property[T any](properties map[string]dbus.Variant, name string) T {
	v, _ := properties[name].Value().(T)
	return v
}

// A jobMode is what becomes of other jobs; systemctl(1), --job-mode=.
type jobMode string

const (
	replacing jobMode = "replace"
	alone     jobMode = "ignore-dependencies"
)

// start makes transient units whose text is in their drop-ins, and starts the first of them. They stay loaded until release,
// so that their end can be looked at.
func (m *manager) start(ctx context.Context, mode jobMode, description string, units ...string) (string, error) {
	type property struct {
		Name  string
		Value dbus.Variant
	}
	type aux struct {
		Name       string
		Properties []property
	}
	properties := []property{
		{"Description", dbus.MakeVariant(description)},
		{"CollectMode", dbus.MakeVariant("inactive-or-failed")},
		{"AddRef", dbus.MakeVariant(true)},
	}
	others := []aux{}
	for _, unit := range units[1:] {
		others = append(others, aux{unit, properties})
	}
	return m.job(ctx, "StartTransientUnit", units[0], string(mode), properties, others)
}

// matching lists the loaded units whose names match a pattern of glob(7).
func (m *manager) matching(pattern string) ([]string, error) {
	var list [][]any
	call := m.object.Call(managerInterface+".ListUnitsByPatterns", 0, []string{}, []string{pattern})
	if err := call.Store(&list); err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	var names []string
	for _, u := range list {
		if name, ok := u[0].(string); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

// release stops a unit that may still run, kills what is left of it and what it starts when it stops, and lets systemd
// forget it.
func (m *manager) release(ctx context.Context, unit string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.job(ctx, "StopUnit", unit, "replace") // each step fails where there is nothing left to do
	}()
	for over := false; !over; {
		m.object.CallWithContext(ctx, managerInterface+".KillUnit", 0, unit, "all", int32(9))
		select {
		case <-done:
			over = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	m.object.CallWithContext(ctx, managerInterface+".ResetFailedUnit", 0, unit)
	m.object.CallWithContext(ctx, managerInterface+".UnrefUnit", 0, unit)
}
