package place

import (
	"errors"
	"testing"

	"temper/harness/place/cgroup"
)

// TestUnavailable: where no container can be had the guard tries the unit itself, so that nothing else may look like
// it.
func TestUnavailable(t *testing.T) {
	if err := cannotProve(cgroup.ErrNoLimits); !errors.Is(err, ErrUnavailable) || !errors.Is(err, cgroup.ErrNoLimits) {
		t.Errorf("%v is none", err)
	}
	if err := cannotProve(errors.New("the disk is full")); errors.Is(err, ErrUnavailable) {
		t.Errorf("%v is one", err)
	}
}
