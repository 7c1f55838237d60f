package quote_test

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"temper/internal/hint"
	"temper/internal/quote"
)

func TestWithout(t *testing.T) {
	setup := quote.With(errors.New("setup: exit status 1"), ": hunter2\nhunter2")
	console := quote.With(fs.ErrPermission, "; its console said:\nhunter2")
	for want, err := range map[string]error{
		"a.service: setup: exit status 1":           fmt.Errorf("a.service: %w", setup),
		"permission denied (kept)":                  fmt.Errorf("%w (kept)", hint.With(console, "do it by hand")),
		"a: setup: exit status 1 permission denied": fmt.Errorf("a: %w %w", setup, console),
		"one line":        errors.New("one line\nanother"),
		"nothing is said": quote.With(errors.New("nothing is said"), ""),
	} {
		if got := quote.Without(err); got.Error() != want || !errors.Is(got, err) || hint.Of(got) != hint.Of(err) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if quote.Without(nil) != nil {
		t.Error("nil is an error")
	}
	if got := setup.Error(); got != "setup: exit status 1: hunter2\nhunter2" {
		t.Errorf("whole: %q", got)
	}
}
