package harness

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"temper/harness/search"
	"temper/internal/verdict"
)

func TestResult(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{nil, verdict.Proven},
		{fmt.Errorf("baseline: %w", search.ErrBroken), verdict.BrokenBaseline},
		{fmt.Errorf("baseline: %w", search.ErrFlaky), verdict.Flaky},
		{fmt.Errorf("baseline: inotify: %w", unix.EMFILE), verdict.Inconclusive},
		{errors.New("the place has ended"), ""},
	} {
		if got := result(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}
