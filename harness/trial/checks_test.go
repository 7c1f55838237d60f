package trial

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"temper/internal/systemd"
)

// TestWatchEnd: a failure of the service ends the context of the checks, and so does an error of the manager.
func TestWatchEnd(t *testing.T) {
	for name, tc := range map[string]struct {
		states []systemd.Service
		err    error
		bad    bool
	}{
		"a bad end": {states: []systemd.Service{{Active: "active"}, {Active: "failed", Result: "signal"}}, bad: true},
		"no answer": {err: errors.New("gone")},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(context.Context) ([]systemd.Service, error) { return tc.states, tc.err }
			during, gone, stop := watchEnd(t.Context(), read)
			<-during.Done()
			<-gone
			if bad := stop(); (bad != nil) != tc.bad || bad != nil && bad.Result != "signal" {
				t.Errorf("bad end %+v", bad)
			}
		})
	}
}

// TestWatchEndStops: after stop the manager is not used any more, since the next launch may have another one.
func TestWatchEndStops(t *testing.T) {
	var stopped, late atomic.Bool
	asked := make(chan struct{}, 1)
	read := func(ctx context.Context) ([]systemd.Service, error) {
		select {
		case asked <- struct{}{}:
		default:
		}
		time.Sleep(30 * time.Millisecond) // a slow answer
		late.Store(late.Load() || stopped.Load())
		return []systemd.Service{{Active: "active"}}, ctx.Err()
	}
	during, gone, stop := watchEnd(t.Context(), read)
	<-asked
	bad := stop()
	stopped.Store(true)
	time.Sleep(100 * time.Millisecond)
	if late.Load() {
		t.Error("the manager was asked after the end of the watch")
	}
	select {
	case <-gone:
		t.Error("a service that runs counts as gone")
	default:
	}
	if bad != nil || during.Err() == nil {
		t.Errorf("bad end %+v, during: %v", bad, during.Err())
	}
}
