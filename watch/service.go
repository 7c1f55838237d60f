package watch

import (
	"slices"
	"strings"
	"time"

	"temper/harness/witness"
	"temper/internal/refusallog"
)

// A service is one that is watched: one start of a unit.
type service struct {
	unit       string
	cgroup     uint64
	start      string // which start of the unit it is; "" if that is not known
	plan       Plan
	known      map[string]bool                // keys of what its log has, and of pending
	pending    map[string]*refusallog.Refusal // what its log does not have yet
	more       uint64                         // refusals for which there was no room
	suppressed uint64                         // the kernel's count when it was last read
	missed     uint64                         // of those, what its log does not have yet
	reports    int                            // entries since the last flush
	unreported int                            // new refusals since then without an entry
	ended      bool
}

// maxReports is how many new refusals of a unit are reported one by one between two flushes.
const maxReports = 20

func newService(name string, cgroup uint64, start string, plan Plan, log refusallog.Log) *service {
	s := &service{
		unit: name, cgroup: cgroup, start: start, plan: plan,
		known: map[string]bool{}, pending: map[string]*refusallog.Refusal{},
	}
	for _, r := range log.Refusals {
		s.known[r.Key()] = true
	}
	return s
}

// add notes that the service was refused a call. It returns the refusal, and whether it is to be reported: it is new,
// and there were not too many new ones.
func (s *service) add(d witness.Denial, now time.Time) (r refusallog.Refusal, report bool) {
	if s.plan.baseline[witness.Normalized(d.String())] {
		return r, false
	}
	found, ok := s.plan.service.Judge(d, s.plan.applied)
	if !ok {
		return r, false
	}
	_, call, _ := strings.Cut(d.String(), ": ")
	r = refusallog.Refusal{
		Restriction: found.Restriction.Kind, Subject: found.Restriction.Subject, Program: d.Process, Call: call,
		Count: 1, First: now, Last: now,
	}
	for _, a := range found.Refusers {
		r.Directives = append(r.Directives, a.Directive.Name)
	}
	slices.Sort(r.Directives)
	key := r.Key()
	switch p := s.pending[key]; {
	case p != nil:
		p.Count++
		p.Last = now
		return r, false
	case s.known[key]:
		s.pending[key] = &r
		return r, false
	case len(s.known) >= refusallog.MaxRefusals:
		s.more++
		return r, false
	}
	s.known[key] = true
	s.pending[key] = &r
	if s.reports++; s.reports > maxReports {
		s.unreported++
		return r, false
	}
	return r, true
}

// changed reports whether there is something that the log does not have.
func (s *service) changed() bool { return len(s.pending) > 0 || s.more > 0 || s.missed > 0 }

// addTo adds to a log what it does not have yet.
func (s *service) addTo(l *refusallog.Log) {
	list := make([]refusallog.Refusal, 0, len(s.pending))
	for _, r := range s.pending {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b refusallog.Refusal) int {
		if c := a.First.Compare(b.First); c != 0 {
			return c
		}
		return strings.Compare(a.Key(), b.Key())
	})
	for _, r := range list {
		l.Add(r)
	}
	l.More += s.more
	l.Missed += s.missed
}

// added notes that the log has everything now.
func (s *service) added() { s.pending, s.more, s.missed = map[string]*refusallog.Refusal{}, 0, 0 }
