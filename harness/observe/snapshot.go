// Package observe records what a service looks like from outside, and compares a hardened launch with launches without
// hardening.
//
// [Observer.Take] takes a snapshot of a running service. A [Launch] collects what one launch showed from its start to
// its end, and [Baselines.Differences] compares it with launches without hardening.
package observe

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"temper/harness/proc"
)

// A Unit is what systemd knows about a running service.
type Unit struct {
	State string // its active state and its sub-state: "active (running)"
	PIDs  []int  // its processes
}

// A Snapshot is what a running service looks like at one moment.
type Snapshot struct {
	Sockets   map[string]bool   // where others reach it: "tcp 0.0.0.0:80", "unix /run/x.sock"
	Addresses map[string]string // of the sockets that everybody in the place can reach, by their names in Sockets
	Processes map[string]bool   // names, as the kernel has them in comm
	States    map[string]bool   // of its units
	Mounted   map[string]bool   // what it has mounted for everybody: "tmpfs at /mnt"
	Unmounted map[string]bool   // what it has unmounted for everybody
	Busy      bool              // a process of the service runs, or waits for a processor
	// Ages are the ages of the processes, the oldest first, by name and parent: "worker of master".
	Ages map[string][]time.Duration
	At   time.Time // when reading began: on a busy machine it takes a while
}

func newSnapshot() Snapshot {
	return Snapshot{
		Sockets: map[string]bool{}, Addresses: map[string]string{}, Processes: map[string]bool{},
		States: map[string]bool{},
		Ages:   map[string][]time.Duration{}, At: time.Now(),
	}
}

// Take takes a snapshot of a service, or of all instances of a template.
func (o Observer) Take(units ...Unit) Snapshot {
	s := newSnapshot()
	names := o.newSocketNames()
	for _, u := range units {
		s.States[u.State] = true
		for _, pid := range u.PIDs {
			o.add(&s, names, o.Proc.Process(pid))
		}
	}
	for _, ages := range s.Ages {
		slices.SortFunc(ages, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	}
	return s
}

func (o Observer) add(s *Snapshot, names *socketNames, p proc.Process) {
	comm := p.Comm()
	if comm == "" {
		return // the process has ended
	}
	name := withoutNumbers(comm)
	s.Processes[name] = true
	stat := p.Stat()
	s.Busy = s.Busy || stat.Busy
	if parent := o.Proc.Process(stat.Parent).Comm(); parent != "" {
		name += " of " + withoutNumbers(parent)
	}
	s.Ages[name] = append(s.Ages[name], stat.Age)
	for _, socket := range p.Sockets() {
		list := names.of(p, socket)
		for _, where := range list {
			s.Sockets[where] = true
		}
		if address, isPrivate, ok := names.find(p, socket); ok && !isPrivate && !strings.HasSuffix(list[0], hidden) {
			s.Addresses[list[0]] = address
		}
	}
}

// Common returns what two snapshots have in common. Ages and states are those of s.
func (s Snapshot) Common(other Snapshot) Snapshot {
	ages := map[string][]time.Duration{}
	for name, list := range s.Ages {
		if both := min(len(list), len(other.Ages[name])); both > 0 {
			ages[name] = list[:both]
		}
	}
	return Snapshot{
		Sockets: intersection(s.Sockets, other.Sockets), Addresses: s.Addresses,
		Processes: intersection(s.Processes, other.Processes),
		States:    s.States, Busy: s.Busy,
		Mounted: intersection(s.Mounted, other.Mounted), Unmounted: intersection(s.Unmounted, other.Unmounted),
		Ages: ages, At: s.At,
	}
}

// Equal reports whether two snapshots show the same, apart from ages.
func (s Snapshot) Equal(other Snapshot) bool {
	sameNumber := func(a, b []time.Duration) bool { return len(a) == len(b) }
	return maps.Equal(s.Sockets, other.Sockets) && maps.Equal(s.Processes, other.Processes) &&
		maps.Equal(s.States, other.States) && maps.Equal(s.Mounted, other.Mounted) &&
		maps.Equal(s.Unmounted, other.Unmounted) && maps.EqualFunc(s.Ages, other.Ages, sameNumber)
}

// AddMounts adds what was mounted and unmounted since a time, by the lists of all mounts then and now.
func (s *Snapshot) AddMounts(before, now map[string]bool) {
	s.Mounted, s.Unmounted = minus(now, before), minus(before, now)
}

// lineage is the set of names of processes with their parents.
func (s Snapshot) lineage() map[string]bool {
	names := map[string]bool{}
	for name := range s.Ages {
		names[name] = true
	}
	return names
}

func intersection(a, b map[string]bool) map[string]bool {
	in := map[string]bool{}
	for k := range a {
		if b[k] {
			in[k] = true
		}
	}
	return in
}

func minus(a, b map[string]bool) map[string]bool {
	rest := map[string]bool{}
	for k := range a {
		if !b[k] {
			rest[k] = true
		}
	}
	return rest
}
