package online_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"temper/analyzer/exposure"
	"temper/analyzer/online"
	"temper/internal/directive"
)

// odd is a manager for which every property has the same value.
type odd struct{ value any }

func (o odd) Unit(context.Context, string) (map[string]any, error) {
	all := map[string]any{"LoadState": "loaded"}
	names := []string{
		"Id", "FragmentPath", "Type", "DefaultDependencies", "User", "SupplementaryGroups", "RootDirectory",
		"RootImage",
		"UMask", "CapabilityBoundingSet", "AmbientCapabilities", "RestrictNamespaces", "RestrictAddressFamilies",
		"SystemCallFilter", "SystemCallArchitectures", "DeviceAllow", "IPEgressFilterPath", "IPIngressFilterPath",
		"IPAddressAllow", "IPAddressDeny",
	}
	for _, d := range directive.All() {
		names = append(names, d.Name)
	}
	for _, name := range names {
		all[name] = o.value
	}
	return all, nil
}

func (odd) Units(context.Context, []string, []string) ([]sdbus.UnitStatus, error) {
	return []sdbus.UnitStatus{{Name: "a.service", LoadState: "loaded"}}, nil
}

// FuzzProperties holds that a service can be scored whatever a manager says of it, of any type.
func FuzzProperties(f *testing.F) {
	for _, value := range []any{
		"text", true, uint32(1), uint64(1),
		[]string{"a"},
		[]struct {
			Family int32
			Bytes  []byte
			Length uint32
		}{{2, []byte{127, 0, 0, 1}, 8}},
		struct {
			Allow bool
			Names []string
		}{true, []string{"read"}},
		[]struct{ Path, Access string }{{"/dev/null", "rw"}},
		dbus.MakeVariant("x"),
		map[string]dbus.Variant{"a": dbus.MakeVariant(1)},
	} {
		var b bytes.Buffer
		m := &dbus.Message{Type: dbus.TypeMethodReply, Body: []any{value}, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldReplySerial: dbus.MakeVariant(uint32(1)),
			dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(value)),
		}}
		if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		m, err := dbus.DecodeMessage(bytes.NewReader(message))
		if err != nil {
			return
		}
		for _, value := range m.Body {
			o := exposure.Options{Version: 257, Arch: "x86_64"}
			if r, err := online.Score(t.Context(), odd{value}, "a.service", o); err == nil && r.Exposure > 110 {
				t.Errorf("the exposure is %d", r.Exposure)
			}
			if _, err := online.Services(t.Context(), odd{value}, o); err != nil {
				t.Error(err)
			}
		}
	})
}
