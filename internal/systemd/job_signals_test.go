package systemd

import (
	"testing"

	"github.com/godbus/dbus/v5"
)

// TestJobSignalsAreOfTheManager: on a bus the sender must own the manager's name. A connection to PID 1 itself has no
// names to ask for, and PID 1 gives itself one.
func TestJobSignalsAreOfTheManager(t *testing.T) {
	for _, test := range []struct {
		name, owner, sender string
		want                bool
	}{
		{"the manager on a bus", ":1.1", ":1.1", true},
		{"somebody else on the bus", ":1.1", ":1.7", false},
		{"PID 1 itself", "", busName, true},
		{"PID 1 itself, without a name", "", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			j := newJobSignals(nil)
			j.owner = func() (string, error) { return test.owner, nil }
			to := make(chan *dbus.Signal, 1)
			j.AddSignal(to)
			j.DeliverSignal(managerInterface, jobRemoved, &dbus.Signal{Sender: test.sender, Path: managerPath})
			if got := len(to) == 1; got != test.want {
				t.Errorf("delivered: %t, want %t", got, test.want)
			}
		})
	}
}
