package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Made lists what a launch without hardening has made permanently, such as a database or a key. If there is anything,
// each further launch gets its own place, in which the service never ran: the sandbox may refuse exactly the call that
// makes it, and the next start of the service on the machine must make it again. On the host there is no other place,
// so Made only notes what the first launch left.
func (s *series) Made() ([]string, error) {
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
	now, err := s.current.KernelState()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != s.current.kernelState[name] {
			made = append(made, name)
		}
	}
	s.alwaysFresh = err == nil && len(made) > 0
	return made, err
}

// useFreshPlace makes sure that the service has never run where the next launch is made.
func (s *series) useFreshPlace(ctx context.Context) error {
	if s.current.Kind() == "host" {
		return s.restoreData(ctx)
	}
	where, err := s.newPlace(ctx)
	if err != nil {
		return fmt.Errorf("a place in which %s never ran: %w", s.unit.Name, err)
	}
	err = s.leavePlace(ctx)
	s.current = readyPlace{Place: where, own: true}
	return errors.Join(err, s.prepare(ctx))
}
