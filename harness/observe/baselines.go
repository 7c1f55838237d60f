package observe

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Patience is how long a service may take to become idle. A process that is older counts as one that stays.
const Patience = time.Second

// Baselines are launches without hardening. What not all of them show is not required of a hardened launch, and what
// one of them did, a hardened launch may do.
type Baselines []Launch

// Missing says, sorted, what a hardened service lacks in a phase and every launch without hardening had. For a service
// that systemd restarts also without hardening it returns nothing, since a snapshot of it means little.
func (b Baselines) Missing(phase string, s Snapshot) []string {
	if b.isRestarted() {
		return nil
	}
	var missing []string
	for _, socket := range b.Sockets(phase) {
		if !s.Sockets[socket] {
			missing = append(missing, fmt.Sprintf("does not listen on %s, as it does without hardening", socket))
		}
	}
	for _, process := range b.inAll(phase, func(s Snapshot) map[string]bool { return s.Processes }) {
		if !s.Processes[process] {
			missing = append(missing, fmt.Sprintf("does not run %s, as it does without hardening", process))
		}
	}
	for _, name := range b.inAll(phase, Snapshot.lineage) {
		process, _, _ := strings.Cut(name, " of ")
		want := b.requiredAges(phase, name)
		text := ""
		switch stay := countStaying(s.Ages[name], want); {
		case stay == len(want) || !s.Processes[process]:
			continue
		case stay == 0:
			text = fmt.Sprintf("does not keep %s running, as it does without hardening", name)
		default:
			text = fmt.Sprintf("keeps only %d %s running, without hardening %d", stay, name, len(want))
		}
		missing = append(missing, text)
	}
	for _, state := range b.inAll(phase, func(s Snapshot) map[string]bool { return s.States }) {
		if !s.States[state] {
			missing = append(missing, fmt.Sprintf("is %s, without hardening %s", join(s.States), state))
		}
	}
	return missing
}

// Sockets lists the sockets on which every launch listened in a phase, sorted.
func (b Baselines) Sockets(phase string) []string {
	return b.inAll(phase, func(s Snapshot) map[string]bool { return s.Sockets })
}

// requiredAges are the ages, the oldest first, that the processes with a name and a parent must reach to count as
// processes that stay. Their number is the smallest number of such processes in a launch without hardening, before its
// checks and after them. Further processes, and those that are much younger than the oldest one, were started for
// clients.
func (b Baselines) requiredAges(phase, name string) []time.Duration {
	var least []time.Duration
	for i, l := range b {
		had := l.Phases[phase].Ages[name]
		if l.IdleAges != nil {
			had = had[:min(len(had), max(1, len(l.IdleAges[name])))]
		}
		if i == 0 {
			least = slices.Repeat([]time.Duration{Patience}, len(had))
		}
		least = least[:min(len(least), len(had))]
		for i := range least {
			if had[i] < had[0]/2 {
				least = least[:i]
				break
			}
			least[i] = min(least[i], had[i]/2)
		}
	}
	return least
}

// countStaying is how many processes have reached the required ages. Both lists begin with the oldest.
func countStaying(ages, must []time.Duration) int {
	for i, age := range must {
		if i == len(ages) || ages[i] < age {
			return i
		}
	}
	return len(must)
}

// Watched is the longest time for which a launch was watched in a phase.
func (b Baselines) Watched(phase string) (longest time.Duration) {
	for _, l := range b {
		longest = max(longest, l.Watched[phase])
	}
	return longest
}

// IdleTime is the longest time that a launch waited before its checks.
func (b Baselines) IdleTime() (longest time.Duration) {
	for _, l := range b {
		longest = max(longest, l.IdleTime)
	}
	return longest
}

// isRestarted reports whether systemd restarted the service in a launch without hardening, or was about to.
func (b Baselines) isRestarted() bool {
	return slices.ContainsFunc(b, func(l Launch) bool {
		for _, s := range l.Phases {
			for state := range s.States {
				if strings.Contains(state, "auto-restart") {
					return true
				}
			}
		}
		return l.Restarts > 0
	})
}

// inAll lists, sorted, what all launches had in a phase.
func (b Baselines) inAll(phase string, what func(Snapshot) map[string]bool) []string {
	var all map[string]bool
	for i, l := range b {
		if i == 0 {
			all = what(l.Phases[phase])
		} else {
			all = intersection(all, what(l.Phases[phase]))
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// NewError is the beginning of a difference that is an error in the log which no launch without hardening has.
const NewError = "logs an error that it does not log without hardening: "

// Differences says, sorted, how a hardened launch differs from all launches without hardening.
func (b Baselines) Differences(l Launch) []string {
	if len(b) == 0 {
		return nil
	}
	var list []string
	for _, phase := range slices.Sorted(maps.Keys(l.Phases)) {
		for _, text := range b.Missing(phase, l.Phases[phase]) {
			list = append(list, phase+": "+text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Ends)) {
		end := l.Ends[name]
		if want := b.ends(name); len(want) > 0 && end != endedWell && !slices.Contains(want, end) {
			usual := strings.Join(want, " or ")
			list = append(list, fmt.Sprintf("%s ended with %s, without hardening with %s", name, end, usual))
		}
	}
	for _, text := range slices.Sorted(maps.Keys(l.Errors)) {
		if !slices.ContainsFunc(b, func(b Launch) bool { return b.Errors[text] != "" }) {
			list = append(list, NewError+l.Errors[text])
		}
	}
	if l.Restarts > 0 && !slices.ContainsFunc(b, func(b Launch) bool { return b.Restarts > 0 }) {
		list = append(list, fmt.Sprintf("was restarted %d times, without hardening never", l.Restarts))
	}
	return list
}

// ends lists how a command ended without hardening.
func (b Baselines) ends(name string) []string {
	var ends []string
	for _, l := range b {
		if end := l.Ends[name]; end != "" && !slices.Contains(ends, end) {
			ends = append(ends, end)
		}
	}
	return ends
}

func join(set map[string]bool) string {
	if len(set) == 0 {
		return "gone"
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}
