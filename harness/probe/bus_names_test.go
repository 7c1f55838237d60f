package probe_test

import (
	"context"
	"errors"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"temper/harness/probe"
)

// A fakeBus has the objects of one name, by path.
type fakeBus map[dbus.ObjectPath]*fakeObject

func (b fakeBus) Object(_ string, path dbus.ObjectPath) dbus.BusObject {
	if o, ok := b[path]; ok {
		return o
	}
	return &fakeObject{}
}

// A fakeObject answers as its text and its properties say. Every other method panics: a probe calls none.
type fakeObject struct {
	dbus.BusObject
	text       string                             // its description; empty if it refuses that
	properties map[string]map[string]dbus.Variant // by interface
}

func (o *fakeObject) CallWithContext(_ context.Context, method string, _ dbus.Flags, args ...any) *dbus.Call {
	refused := &dbus.Call{Err: errors.New("access denied")}
	switch method {
	case "org.freedesktop.DBus.Introspectable.Introspect":
		if o.text == "" {
			return refused
		}
		return &dbus.Call{Body: []any{o.text}}
	case "org.freedesktop.DBus.Properties.GetAll":
		if values, ok := o.properties[args[0].(string)]; ok {
			return &dbus.Call{Body: []any{values}}
		}
		return refused
	}
	panic("the probe calls " + method)
}

// TestBusName: of a name on the bus the descriptions and properties of its objects are read, and nothing else is
// called. Of the values it matters whether there is anything in them.
func TestBusName(t *testing.T) {
	const interfaces = `<node><interface name="x.Y"><method name="Reboot"/>` +
		`<property name="Users" type="as" access="read"/></interface>` +
		`<interface name="x.Secret"><property name="Key" type="s" access="read"/></interface>` +
		`<interface name="x.Write"><property name="Key" type="s" access="write"/></interface></node>`
	bus := fakeBus{
		"/":  {text: `<node><node name="x"/><node name="gone"/><node name="not valid"/></node>`},
		"/x": {text: `<node><node name="y"/></node>`},
		"/x/y": {text: interfaces, properties: map[string]map[string]dbus.Variant{
			"x.Y": {
				"Users": dbus.MakeVariant([]string{"root"}), "Sessions": dbus.MakeVariant([]string{}),
				"Count": dbus.MakeVariant(uint32(0)), "Version": dbus.MakeVariant("1.2"),
			},
			"x.Write": {},
		}},
	}
	want := map[string]string{
		"the description of /": "read", "the description of /x": "read", "the description of /x/y": "read",
		"the description of /gone":      "refused",
		"the properties of x.Y at /x/y": "read", "the properties of x.Secret at /x/y": "refused",
		"x.Y.Users at /x/y": "something", "x.Y.Sessions at /x/y": "nothing", "x.Y.Count at /x/y": "nothing",
		"x.Y.Version at /x/y": "something",
	}
	got := probe.BusName(t.Context(), bus, "x.Name")
	if diff := cmp.Diff(want, got.Facts); diff != "" || got.Work != "" {
		t.Errorf("work %q (-want +got):\n%s", got.Work, diff)
	}
}

// TestBusNameBounds: an endless tree of objects ends.
func TestBusNameBounds(t *testing.T) {
	endless := &fakeObject{text: `<node><node name="a"/><node name="b"/><node name="c"/></node>`}
	got := probe.BusName(t.Context(), everyObject{endless}, "x.Name")
	if n := len(got.Facts); n == 0 || n > 40 {
		t.Errorf("%d objects were asked", n)
	}
}

// everyObject is a bus on which every path has the same object.
type everyObject struct{ object *fakeObject }

func (b everyObject) Object(string, dbus.ObjectPath) dbus.BusObject { return b.object }
