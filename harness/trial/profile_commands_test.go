package trial

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestOwnVariables: a check gets the variables that the unit sets. It does not get those that systemd sets for one
// process, nor a title with which a process has overwritten its environment.
func TestOwnVariables(t *testing.T) {
	got := ownVariables([]string{
		"PATH=/bin", "DATABASE=main", "STATE_DIRECTORY=/var/lib/x", "LISTEN_FDS=1",
		"nginx: master process", "LANG=C", "EMPTY=", "1BAD=x", "",
	})
	if diff := cmp.Diff([]string{"DATABASE=main", "EMPTY="}, got); diff != "" {
		t.Error(diff)
	}
}
