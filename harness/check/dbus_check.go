package check

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"temper/profiles"
)

// probeDBus calls a method of the service on the bus of the place; without a method it asks whether the name has an
// owner. The bus must not activate a service, since that would be the installed one and not the trial.
func probeDBus(c profiles.DBusCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		bus := env.Place.Bus()
		var owner string
		asked := bus.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, c.Name)
		if err := asked.Store(&owner); err != nil {
			return "", fmt.Errorf("%s: %w", c.Name, err)
		}
		if c.Method == "" {
			return fmt.Sprintf("%s is owned by %s", c.Name, owner), nil
		}
		// From here on the owner is addressed by its unique name, so that all answers come from one process.
		object := bus.Object(owner, dbus.ObjectPath(c.Path))
		args, err := arguments(ctx, object, c)
		if err != nil {
			return "", err
		}
		method := c.Interface + "." + c.Method
		call := object.CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
		if call.Err != nil {
			return "", fmt.Errorf("%s: %w", method, call.Err)
		}
		return fmt.Sprintf("%s answered %s", method, quoted(strings.Trim(fmt.Sprint(call.Body), "[]"))), nil
	}
}

// arguments converts each argument to the type that the introspection of the object names. Without introspection, all
// arguments stay strings.
func arguments(ctx context.Context, object dbus.BusObject, c profiles.DBusCheck) ([]any, error) {
	if len(c.Args) == 0 {
		return nil, nil
	}
	types, err := inputTypes(ctx, object, c)
	if err != nil {
		return nil, err
	}
	if types != nil && len(types) != len(c.Args) {
		return nil, final{fmt.Errorf("%s.%s: want %d arguments (%s), got %d",
			c.Interface, c.Method, len(types), strings.Join(types, " "), len(c.Args))}
	}
	args := make([]any, len(c.Args))
	for i, text := range c.Args {
		args[i] = text
		if types == nil {
			continue
		}
		if args[i], err = argument(text, types[i]); err != nil {
			return nil, final{fmt.Errorf("%s.%s: argument %d: want type %s, got %q: %w",
				c.Interface, c.Method, i+1, types[i], text, err)}
		}
	}
	return args, nil
}

// argument parses text as a value of a D-Bus type in GVariant's text format. Strings are taken as they are. The service
// names the type, and godbus panics on some texts that do not fit their type.
func argument(text, signature string) (value any, err error) {
	defer func() {
		if r := recover(); r != nil {
			value, err = nil, fmt.Errorf("it is no such value: %v", r)
		}
	}()
	switch signature {
	case "s":
		return text, nil
	case "o":
		return dbus.ObjectPath(text), nil
	case "g":
		return dbus.ParseSignature(text)
	}
	sig, err := dbus.ParseSignature(signature)
	if err != nil {
		return nil, err
	}
	if hasForeignNumber(text) {
		return nil, errors.New("its numbers are not written in the digits 0 to 9")
	}
	v, err := dbus.ParseVariant(text, sig)
	return v.Value(), err
}

// hasForeignNumber tells of a number of another script outside of quotes. The parser of godbus never ends on one.
func hasForeignNumber(text string) bool {
	var quote rune
	escaped := false
	for _, r := range text {
		switch {
		case escaped:
			escaped = false
		case quote != 0:
			escaped = r == '\\'
			if r == quote {
				quote = 0
			}
		case r == '\'' || r == '"':
			quote = r
		case r > unicode.MaxASCII && unicode.IsNumber(r):
			return true
		}
	}
	return false
}

// inputTypes asks the object for the argument types of its method; nil if the object does not say.
func inputTypes(ctx context.Context, object dbus.BusObject, c profiles.DBusCheck) ([]string, error) {
	var text string
	call := object.CallWithContext(ctx, "org.freedesktop.DBus.Introspectable.Introspect", dbus.FlagNoAutoStart)
	if err := call.Store(&text); err != nil {
		return nil, ctx.Err()
	}
	var node introspect.Node
	if err := xml.Unmarshal([]byte(text), &node); err != nil {
		return nil, errors.Join(fmt.Errorf("%s describes itself in bad XML", c.Path), err)
	}
	for _, iface := range node.Interfaces {
		for _, m := range iface.Methods {
			if iface.Name == c.Interface && m.Name == c.Method {
				return ins(m.Args), nil
			}
		}
	}
	return nil, nil
}

func ins(args []introspect.Arg) []string {
	types := []string{}
	for _, a := range args {
		if a.Direction != "out" {
			types = append(types, a.Type)
		}
	}
	return types
}
