package probe

import (
	"cmp"
	"context"
	"encoding/xml"
	"fmt"
	"path"
	"reflect"
	"slices"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"
)

const (
	// maxObjects bounds how many objects of a name are asked, and busTime how long that may take.
	maxObjects = 30
	busTime    = 5 * time.Second
	maxDepth   = 6
)

// Bus is a connection to a bus.
type Bus interface {
	Object(destination string, path dbus.ObjectPath) dbus.BusObject
}

// BusName asks what a name on the bus offers: it reads the description of its objects and their properties. No other
// method is called.
func BusName(ctx context.Context, bus Bus, name string) Answer {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	b := &busAnswer{ctx: ctx, bus: bus, name: name, facts: map[string]string{}}
	b.object("/", 0)
	return Answer{Facts: b.facts}
}

type busAnswer struct {
	ctx     context.Context
	bus     Bus
	name    string
	facts   map[string]string
	objects int
}

// object asks an object and those below it.
func (b *busAnswer) object(at string, depth int) {
	if b.objects++; b.objects > maxObjects || depth > maxDepth || b.ctx.Err() != nil {
		return
	}
	object := b.bus.Object(b.name, dbus.ObjectPath(at))
	var text string
	var node introspect.Node
	err := object.CallWithContext(b.ctx, "org.freedesktop.DBus.Introspectable.Introspect", 0).Store(&text)
	if err == nil {
		err = xml.Unmarshal([]byte(text), &node)
	}
	if err != nil {
		b.facts["the description of "+at] = "refused"
		return
	}
	b.facts["the description of "+at] = "read"
	for _, i := range node.Interfaces {
		b.properties(object, at, i)
	}
	slices.SortFunc(node.Children, func(x, y introspect.Node) int { return cmp.Compare(x.Name, y.Name) })
	for _, child := range node.Children {
		if below := path.Join(at, child.Name); child.Name != "" && dbus.ObjectPath(below).IsValid() {
			b.object(below, depth+1)
		}
	}
}

// properties reads the properties of an interface. Of their values it is compared whether there is anything in them.
func (b *busAnswer) properties(object dbus.BusObject, at string, i introspect.Interface) {
	if !slices.ContainsFunc(i.Properties, func(p introspect.Property) bool { return p.Access != "write" }) {
		return
	}
	about := fmt.Sprintf("the properties of %s at %s", i.Name, at)
	var values map[string]dbus.Variant
	err := object.CallWithContext(b.ctx, "org.freedesktop.DBus.Properties.GetAll", 0, i.Name).Store(&values)
	if err != nil {
		b.facts[about] = "refused"
		return
	}
	b.facts[about] = "read"
	for name, value := range values {
		what := "something"
		if v := reflect.ValueOf(value.Value()); !v.IsValid() || v.IsZero() || (v.Kind() == reflect.Slice ||
			v.Kind() == reflect.Map) && v.Len() == 0 {
			what = "nothing"
		}
		b.facts[fmt.Sprintf("%s.%s at %s", i.Name, name, at)] = what
	}
}
