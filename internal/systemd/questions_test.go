package systemd_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"temper/internal/systemd"
)

// has gives an object properties; others that are asked for are errors.
func (b *bus) has(t *testing.T, at dbus.ObjectPath, properties map[string]any) {
	t.Helper()
	err := b.manager.ExportMethodTable(map[string]any{
		"Get": func(_, property string) (dbus.Variant, *dbus.Error) {
			value, ok := properties[property]
			if !ok {
				return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", []any{property})
			}
			return dbus.MakeVariant(value), nil
		},
	}, at, "org.freedesktop.DBus.Properties")
	if err != nil {
		t.Fatal(err)
	}
}

func TestManagerProperties(t *testing.T) {
	for _, x := range []struct {
		properties map[string]any
		version    int
		starting   bool
		fails      bool
	}{
		{map[string]any{"Version": "257.7-1", "SystemState": "starting", "NJobs": uint32(3)}, 257, true, false},
		{
			map[string]any{"Version": "247 (247.3-7+deb11u4)", "SystemState": "degraded", "NJobs": uint32(3)},
			247, false,
			false,
		},
		{map[string]any{"Version": "v257", "SystemState": "initializing", "NJobs": uint32(3)}, 0, true, true},
		{map[string]any{"Version": uint32(257), "SystemState": "running", "NJobs": uint32(3)}, 0, false, true},
	} {
		b := startBus(t)
		b.has(t, path, x.properties)
		b.serve(t, nil)
		c := connect(t, b)
		if got, err := c.Version(t.Context()); got != x.version || (err != nil) != x.fails {
			t.Errorf("%v: version %d, %v", x.properties, got, err)
		}
		if got, err := c.Starting(t.Context()); got != x.starting || err != nil {
			t.Errorf("%v: starting %t, %v", x.properties, got, err)
		}
		if got, err := c.Jobs(t.Context()); got != 3 || err != nil {
			t.Errorf("%v: %d jobs, %v", x.properties, got, err)
		}
	}
}

func TestUnits(t *testing.T) {
	type line struct {
		Name, Description, Load, Active, Sub, Followed string
		Path                                           dbus.ObjectPath
		Job                                            uint32
		JobType                                        string
		JobPath                                        dbus.ObjectPath
	}
	b := startBus(t)
	var asked [][]string
	b.serve(t, map[string]any{
		"ListUnitsByPatterns": func(states, patterns []string) ([]line, *dbus.Error) {
			asked = append(asked, states, patterns)
			return []line{{Name: "a.service", Load: "loaded", Active: "failed", Path: "/a", JobPath: "/"}}, nil
		},
	})
	units, err := connect(t, b).Units(t.Context(), []string{"failed"}, nil)
	if err != nil || len(units) != 1 || units[0].Name != "a.service" || units[0].ActiveState != "failed" {
		t.Errorf("%v, %v", units, err)
	}
	if diff := cmp.Diff([][]string{{"failed"}, {}}, asked); diff != "" {
		t.Error(diff)
	}
}

func TestLoadedUnitChanged(t *testing.T) {
	b := startBus(t)
	object := path + "/unit/a_2eservice"
	b.has(t, object, map[string]any{"StateChangeTimestampMonotonic": uint64(42)})
	b.serve(t, map[string]any{"GetUnit": func(string) (dbus.ObjectPath, *dbus.Error) { return object, nil }})
	if got, err := connect(t, b).LoadedUnitChanged(t.Context(), "a.service"); got != 42 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

// TestRelease: a unit is stopped, what is left of it is killed, and the manager may forget it, in this order.
func TestRelease(t *testing.T) {
	b := startBus(t)
	var mu sync.Mutex
	var did []string
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(did, what) {
			did = append(did, what)
		}
	}
	b.serve(t, map[string]any{
		"StopUnit": func(string, string) (dbus.ObjectPath, *dbus.Error) { note("stop"); return "/job/1", nil },
		"KillUnit": func(_, whom string, signal int32) *dbus.Error {
			mu.Lock()
			stopping := slices.Contains(did, "stop")
			mu.Unlock()
			if whom == "all" && signal == 9 && stopping {
				note("kill")
				b.end("/job/1", "done")
			}
			return dbus.NewError(name+".NoSuchProcess", nil)
		},
		"ResetFailedUnit": func(string) *dbus.Error { note("reset"); return nil },
		"UnrefUnit":       func(string) *dbus.Error { note("unref"); return nil },
	})
	connect(t, b).Release(t.Context(), "a.service")
	if got := strings.Join(did, " "); got != "stop kill reset unref" {
		t.Error(got)
	}
}

// TestJobsOfAllKinds: each method of the manager is called by its name, with the mode that it has.
func TestJobsOfAllKinds(t *testing.T) {
	b := startBus(t)
	did := make(chan string, 1)
	methods := map[string]any{"Reload": func() *dbus.Error { did <- "Reload"; return nil }}
	for _, method := range []string{"StartUnit", "StopUnit", "RestartUnit", "ReloadUnit"} {
		methods[method] = func(unit, mode string) (dbus.ObjectPath, *dbus.Error) {
			did <- method + " " + unit + " " + mode
			b.end("/job/1", "done")
			return "/job/1", nil
		}
	}
	b.serve(t, methods)
	c := connect(t, b)
	for method, call := range map[string]func(context.Context, string) (string, error){
		"StartUnit": c.StartUnit, "StopUnit": c.StopUnit, "RestartUnit": c.RestartUnit, "ReloadUnit": c.ReloadUnit,
	} {
		result, err := call(t.Context(), "a.service")
		if got := <-did; result != systemd.Done || err != nil || got != method+" a.service replace" {
			t.Errorf("%s: %s, job %s, %v", method, got, result, err)
		}
	}
	if err := c.Reload(t.Context()); err != nil || <-did != "Reload" {
		t.Error(err)
	}
}
