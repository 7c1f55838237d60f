package place

import (
	"errors"
	"testing"

	"temper/harness/place/cgroup"
)

// TestUnavailable: only the error that no container can be made is reported as that, since the guard then tries the
// unit itself.
func TestUnavailable(t *testing.T) {
	if err := cannotProve(cgroup.ErrNoLimits); !errors.Is(err, ErrUnavailable) || !errors.Is(err, cgroup.ErrNoLimits) {
		t.Errorf("%v is none", err)
	}
	if err := cannotProve(errors.New("the disk is full")); errors.Is(err, ErrUnavailable) {
		t.Errorf("%v is one", err)
	}
}
