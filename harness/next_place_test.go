package harness

import (
	"context"
	"errors"
	"testing"
	"time"

	"temper/harness/place"
)

// TestBootingPlace: a place boots while the caller does something else, a boot that nobody waits for is stopped, and
// waiting ends with the proof.
func TestBootingPlace(t *testing.T) {
	want := &place.Place{}
	b := bootPlace(t.Context(), func(context.Context) (*place.Place, error) { return want, nil })
	if got, err := b.take(t.Context()); got != want || err != nil {
		t.Errorf("took %p, %v; want %p", got, err, want)
	}

	broken := errors.New("it does not boot")
	b = bootPlace(t.Context(), func(context.Context) (*place.Place, error) { return nil, broken })
	if _, err := b.take(t.Context()); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}

	slow := func(ctx context.Context) (*place.Place, error) {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Minute):
			return want, nil
		}
	}
	b = bootPlace(t.Context(), slow)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.take(over); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want that the proof is over", err)
	}
	begin := time.Now()
	if err := b.discard(); err != nil || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begin))
	}
}
