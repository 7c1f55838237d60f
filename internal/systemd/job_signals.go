package systemd

import (
	"context"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

// jobSignals hands on the signals that tell of the end of jobs, if they are the manager's: every user of a bus may send
// such a signal, and go-systemd does not ask who has. It waits until a signal is taken; godbus has a goroutine for each
// that waits, however many a bus sends.
type jobSignals struct {
	owner func() (string, error) // of the manager's name; "" where there is no bus
	known string                 // owner when last asked for
	ended chan struct{}
	end   sync.Once

	mu sync.RWMutex
	to []chan<- *dbus.Signal
}

const jobRemoved = "JobRemoved"

// ownerWithin is how long a bus has to say who owns a name.
const ownerWithin = 5 * time.Second

// newJobSignals asks on the connection for calls. One to PID 1 itself has no names: there is no bus between.
func newJobSignals(calls *dbus.Conn) *jobSignals {
	owner := func() (owner string, err error) {
		if calls.Names()[0] == "" { // its own, on a bus
			return "", nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), ownerWithin)
		defer cancel()
		asked := calls.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.GetNameOwner", 0, busName)
		return owner, asked.Store(&owner)
	}
	return &jobSignals{owner: owner, ended: make(chan struct{})}
}

// DeliverSignal is called for one signal after the other.
func (j *jobSignals) DeliverSignal(from, member string, signal *dbus.Signal) {
	if from != managerInterface || member != jobRemoved || signal.Path != managerPath || !j.ofManager(signal.Sender) {
		return
	}
	j.mu.RLock()
	defer j.mu.RUnlock()
	for _, to := range j.to {
		select {
		case to <- signal:
		case <-j.ended:
			return
		}
	}
}

// ofManager reports whether the manager is who has sent a signal. It gets another name when it executes itself again.
// Where there is no bus nobody else is there, whatever name the manager gives itself.
func (j *jobSignals) ofManager(sender string) bool {
	if sender == j.known && sender != "" {
		return true
	}
	owner, err := j.owner()
	if err != nil {
		return false
	}
	j.known = owner
	return owner == "" || sender == owner
}

// AddSignal has signals sent to a channel, too.
func (j *jobSignals) AddSignal(to chan<- *dbus.Signal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.to = append(j.to, to)
}

// RemoveSignal does nothing: nobody takes a channel back before the connection ends.
func (j *jobSignals) RemoveSignal(chan<- *dbus.Signal) {}

// Terminate closes the channels at the end of the connection.
func (j *jobSignals) Terminate() {
	j.end.Do(func() { close(j.ended) })
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, to := range j.to {
		close(to)
	}
	j.to = nil
}
