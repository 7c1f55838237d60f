package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"temper/harness/filechanges"
	"temper/harness/place"
)

// Made lists what a launch without hardening has made or removed permanently, such as a database or a key. If there is
// anything, each further launch gets its own place, in which the service never ran: the sandbox may refuse exactly the
// call that makes it, and the next start of the service on the machine must make it again. On the host there is no
// other place, so Made only notes what the first launch left. Files of users as whom only other services of the place
// run are not the service's.
func (s *series) Made(users map[uint32]bool) ([]string, error) {
	if s.current.Kind() == "host" && s.launches == 1 {
		var err error
		s.leftOnHost, err = s.current.ChangedSince(s.current.began)
		return nil, err
	}
	if s.newPlace == nil || s.alwaysFresh {
		return nil, nil
	}
	made, err := s.current.ChangedSince(s.current.began)
	if err != nil {
		return nil, err
	}
	made = append(s.current.withoutFilesOfOthers(made, users), s.removed()...)
	now, err := s.current.KernelState()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != s.current.kernelState[name] {
			made = append(made, name)
		}
	}
	s.alwaysFresh = err == nil && len(made) > 0
	return made, err
}

// withoutFilesOfOthers leaves out the files of users as whom only other services of the place run.
func (p readyPlace) withoutFilesOfOthers(names []string, own map[uint32]bool) []string {
	others := filechanges.OtherUsers(p.Place, own)
	return slices.DeleteFunc(names, func(name string) bool {
		state := p.FileState(name)
		return state.Exists && others[state.User]
	})
}

// removed lists the files that setup had made and the service has removed. A directory that is empty after a boot does
// not count.
func (s *series) removed() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(s.current.files)) {
		if s.current.files[name].Exists && !place.IsVolatile(name) && !s.current.FileState(name).Exists {
			list = append(list, name)
		}
	}
	return list
}

// useFreshPlace makes sure that the service has never run where the next launch is made. Meanwhile it boots the place
// of the launch after that one.
func (s *series) useFreshPlace(ctx context.Context) error {
	if s.current.Kind() == "host" {
		return s.restoreData(ctx)
	}
	if s.next == nil {
		s.next = bootPlace(ctx, s.newPlace)
	}
	where, err := s.next.take(ctx)
	if err != nil {
		return fmt.Errorf("a place in which %s never ran: %w", s.unit.Name, err)
	}
	s.next = bootPlace(ctx, s.newPlace)
	err = s.leavePlace(ctx)
	s.current = readyPlace{Place: where, own: true}
	return errors.Join(err, s.prepare(ctx))
}

// bootingPlace is a place that boots in the background.
type bootingPlace struct {
	booted chan struct{}
	cancel context.CancelFunc // ends the place, also after it has booted
	where  *place.Place       // set when booted is closed, like err
	err    error
}

func bootPlace(ctx context.Context, boot func(context.Context) (*place.Place, error)) *bootingPlace {
	b := &bootingPlace{booted: make(chan struct{})}
	ctx, b.cancel = context.WithCancel(ctx)
	go func() {
		defer close(b.booted)
		b.where, b.err = boot(ctx)
	}()
	return b
}

// take waits for the place. The caller closes it.
func (b *bootingPlace) take(ctx context.Context) (*place.Place, error) {
	select {
	case <-b.booted:
		return b.where, b.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// discard ends a place that was not taken.
func (b *bootingPlace) discard() error {
	b.cancel()
	<-b.booted
	if b.where == nil {
		return nil // an error of a boot that was stopped says nothing
	}
	return b.where.Close()
}
