package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"temper/internal/verdict"
)

// renewOnceMade sees to it that no trial finds what the first launch of the service has made to last, such as a database or a key: what
// makes it may be just what the sandbox refuses, and the next start of the service on the machine will have to make it. The
// rest of the trials are then run in places of their own, where the service never ran. It returns what was made.
func (t *trials) renewOnceMade() ([]string, error) {
	if t.place.Kind() == "host" && t.count == 1 {
		var err error
		t.left, err = t.place.ChangedSince(t.began)
		return nil, err
	}
	if t.again == nil || t.renew != nil {
		return nil, nil
	}
	made, err := t.place.ChangedSince(t.began)
	if err != nil {
		return nil, err
	}
	now, err := t.place.KernelState()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != t.kept[name] {
			made = append(made, name)
		}
	}
	if err == nil && len(made) > 0 {
		t.renew = t.move
	}
	return made, err
}

// remained says that a host has nothing in which to try the first start after the next boot.
func (t *trials) remained() []verdict.Evidence {
	if len(t.left) == 0 {
		return nil
	}
	return []verdict.Evidence{{Kind: "unseen", Text: fmt.Sprintf(
		"%s was made while it first ran, by it or another, and was there in all other trials: whether it starts without that, as after a boot, was not tried", some(t.left))}}
}

// move goes on in a new place.
func (t *trials) move(ctx context.Context) error {
	where, err := t.again(ctx)
	if err != nil {
		return fmt.Errorf("a place in which %s never ran: %w", t.unit.Name, err)
	}
	err = t.leave()
	t.place, t.manager, t.own = where, newManager(where.Manager()), where
	if err := errors.Join(err, t.setup(ctx)); err != nil {
		return err
	}
	return t.makeRoom(ctx)
}

// leave ends what the trials have of their place, and the place itself if it is not that of the caller.
func (t *trials) leave() error {
	var err error
	if t.own == nil && t.alone {
		err = t.fill()
	}
	if t.own == nil {
		return err
	}
	return t.own.Close()
}

// setup runs what the profile wants done before the first trial in a place.
func (t *trials) setup(ctx context.Context) error {
	if err := setup(ctx, t.place, t.profile, t.unit.ID); err != nil {
		return fmt.Errorf("%s: %w", t.profile.Path, err)
	}
	if t.again != nil {
		var err error
		if t.kept, err = t.place.KernelState(); err != nil {
			return err
		}
	}
	t.began = time.Now()
	return nil
}
