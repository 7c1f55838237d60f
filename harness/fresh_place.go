package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Made lists what a launch without hardening has made to last, such as a database or a key. If there is anything, each
// further launch is made in a place of its own, where the service never ran: what makes it may be just what the sandbox
// refuses, and the next start of the service on the machine will have to make it. On the host there is no other place:
// what the first launch left is only noted.
func (s *series) Made() ([]string, error) {
	if s.at.Kind() == "host" && s.count == 1 {
		var err error
		s.remains, err = s.at.ChangedSince(s.at.began)
		return nil, err
	}
	if s.another == nil || s.fresh {
		return nil, nil
	}
	made, err := s.at.ChangedSince(s.at.began)
	if err != nil {
		return nil, err
	}
	now, err := s.at.KernelState()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if now[name] != s.at.kernelState[name] {
			made = append(made, name)
		}
	}
	s.fresh = err == nil && len(made) > 0
	return made, err
}

// renew sees to it that the service has never run where the next launch is made.
func (s *series) renew(ctx context.Context) error {
	if s.at.Kind() == "host" {
		return s.restoreData(ctx)
	}
	where, err := s.another(ctx)
	if err != nil {
		return fmt.Errorf("a place in which %s never ran: %w", s.unit.Name, err)
	}
	err = s.leave(ctx)
	s.at = readyPlace{Place: where, own: true}
	return errors.Join(err, s.prepare(ctx))
}
