package hint_test

import (
	"errors"
	"fmt"
	"strings"
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

func TestNearest(t *testing.T) {
	words := []string{"units", "extends", "description", "secrets", "secrets_for", "exec", "file"}
	for got, want := range map[string]string{
		"unit": "units", "Units": "units", "uints": "units", "extend": "extends", "desc": "description",
		"secret":     "secrets",
		"secretsfor": "secrets_for", "exce": "exec", "flie": "file", "x": "", "": "", "wibble": "",
		strings.Repeat("u", 10000): "",
	} {
		if near := hint.Nearest(got, words); near != want {
			t.Errorf("nearest(%.20q) = %q, want %q", got, near, want)
		}
	}
}
