//go:build exhaust

package place_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/testroot"
)

// TestSystemdExhaust: a hostile root that takes all that is left of what the kernel counts for the whole machine is
// ended within seconds, the machine has it again, and another container goes on. Other tests that boot containers
// cannot run at the same time, so testdata/run-tests runs it by itself.
func TestSystemdExhaust(t *testing.T) {
	program := hostile(t)
	for _, tc := range []struct {
		how, name string
		unseen    bool // which place holds them, so that the other may end too
	}{
		{"inotify", "inotify instances", false},
		{"hidden-inotify", "inotify instances", true},
		{"crowded-inotify", "inotify instances", true},
		{"watches", "inotify watches", true},
		{"timers", "pending signals", true},
		{"aio", "asynchronous I/O", false},
		{"uts", "uts namespaces", false},
		{"time", "time namespaces", false},
	} {
		t.Run(tc.how, func(t *testing.T) {
			bystander := container(t, place.Options{Image: testroot.Path(t, "trixie")})
			p := container(t, place.Options{Image: testroot.Path(t, "trixie"), Files: []place.File{program}})
			output(t, p, "systemd-run --quiet hostile serve "+tc.how)
			select {
			case <-p.Done():
			case <-time.After(30 * time.Second):
				t.Fatal("the container still runs")
			}
			want := "no " + tc.name + " left for its own programs"
			if err := p.Err(); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("it has ended: %v; want %q", err, want)
			}
			if _, err := unix.InotifyInit1(unix.IN_CLOEXEC); errors.Is(err, unix.EMFILE) {
				t.Error("the machine has no inotify instances")
			}
			if !tc.unseen {
				output(t, bystander, "true")
			}
		})
	}
}
