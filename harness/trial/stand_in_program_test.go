package trial

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/godbus/dbus/v5"

	"temper/internal/systemd"
)

// TestStandInRuns: a stand-in that systemd does not run is a result; a manager that does not answer is an error.
func TestStandInRuns(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refusal := dbus.Error{Name: "org.freedesktop.systemd1.BadUnitSetting"}
	for name, tc := range map[string]struct {
		ctx    context.Context
		result string
		err    error
		runs   bool
		fails  bool
	}{
		"it runs":             {result: systemd.Done, runs: true},
		"it does not start":   {result: "failed"},
		"it takes too long":   {err: fmt.Errorf("start x: %w", context.DeadlineExceeded)},
		"it is refused":       {err: fmt.Errorf("start x: %w", refusal)},
		"the bus has gone":    {err: fmt.Errorf("start x: %w", systemd.ErrGone), fails: true},
		"PID 1 hangs":         {err: fmt.Errorf("start x: %w", systemd.ErrNoAnswer), fails: true},
		"something else":      {err: errors.New("else"), fails: true},
		"nobody wants it now": {ctx: ended, result: systemd.Done, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := tc.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			runs, err := standInRuns(ctx, tc.result, tc.err)
			if runs != tc.runs || (err != nil) != tc.fails {
				t.Errorf("runs: %v, error: %v", runs, err)
			}
		})
	}
}
