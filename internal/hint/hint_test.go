package hint_test

import (
	"errors"
	"fmt"
	"testing"

	"temper/internal/hint"
)

func TestOf(t *testing.T) {
	base := errors.New("no bus")
	err := fmt.Errorf("open the place: %w", hint.With(base, "apt-get install dbus"))
	if got := hint.Of(err); got != "apt-get install dbus" {
		t.Errorf("Of = %q", got)
	}
	if err.Error() != "open the place: no bus" || !errors.Is(err, base) {
		t.Errorf("the error itself changed: %v", err)
	}
	if hint.Of(base) != "" || hint.With(nil, "x") != nil {
		t.Error("advice out of nothing")
	}
}
