package place

import (
	"errors"
	"net"
	"os"
	"testing"

	"temper/internal/host"
	"temper/internal/systemd"
)

// A container whose bus is a link does not make temper talk to a bus of the machine.
func TestBusDial(t *testing.T) {
	tree, machine := t.TempDir(), t.TempDir()
	bus, err := net.Listen("unix", machine+"/bus")
	if err != nil {
		t.Fatal(err)
	}
	defer bus.Close()
	own, err := net.Listen("unix", tree+"/own")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	for target, want := range map[string]bool{machine + "/bus": false, "/own": true} {
		err := errors.Join(os.MkdirAll(tree+"/run/dbus", 0o755), os.Symlink(target, tree+systemd.SystemBus))
		if err != nil {
			t.Fatal(err)
		}
		conn, err := (&Place{}).busDial(host.At(tree))(t.Context())
		if (err == nil) != want {
			t.Errorf("the bus leads to %s: %v", target, err)
		}
		if err == nil {
			_ = conn.Close()
		}
		_ = os.Remove(tree + systemd.SystemBus)
	}
}
