package harness

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A sighting is what one trial showed from its start to its end.
type sighting struct {
	phases   map[string]observation
	watched  map[string]time.Duration // how long each phase was watched for what it shows
	ends     map[string]string        // how each command ended, by what it is
	errors   map[string]string        // messages of priority err and above, by what they are without numbers
	restarts uint32
	before   map[string][]time.Duration // ages without hardening before any check; nil if there is none
	rested   time.Duration              // how long it was left alone for that
}

// normal is what launches without hardening showed. What differs between them is no part of what the service is; what one
// of them did, a hardened one may do.
type normal []sighting

// lost says what a hardened service lacks in a phase that every launch without hardening had, sorted. Of a service that
// ends and is started again without hardening, no moment says what it is.
func (n normal) lost(phase string, o observation) []string {
	if n.comesAndGoes() {
		return nil
	}
	var missing []string
	for _, socket := range n.everyTime(phase, func(o observation) map[string]bool { return o.sockets }) {
		if !o.sockets[socket] {
			missing = append(missing, fmt.Sprintf("does not listen on %s, as it does without hardening", socket))
		}
	}
	for _, process := range n.everyTime(phase, func(o observation) map[string]bool { return o.processes }) {
		if !o.processes[process] {
			missing = append(missing, fmt.Sprintf("does not run %s, as it does without hardening", process))
		}
	}
	for _, name := range n.everyTime(phase, func(o observation) map[string]bool { return o.lineage() }) {
		process, _, _ := strings.Cut(name, " of ")
		want := n.ages(phase, name)
		switch stay := staying(o.ages[name], want); {
		case stay == len(want) || !o.processes[process]:
		case stay == 0:
			missing = append(missing, fmt.Sprintf("does not keep %s running, as it does without hardening", name))
		default:
			missing = append(missing, fmt.Sprintf("keeps only %d %s running, without hardening %d", stay, name, len(want)))
		}
	}
	for _, state := range n.everyTime(phase, func(o observation) map[string]bool { return o.states }) {
		if !o.states[state] {
			missing = append(missing, fmt.Sprintf("is %s, without hardening %s", words(o.states), state))
		}
	}
	return missing
}

// ages are how old the processes with a name and a parent must become, the oldest first, to be those that stay, not some that end
// again and again. As many stay as every launch without hardening had, before its checks and after them: more were started for
// clients, as were those that are much younger than the oldest one.
func (n normal) ages(phase, name string) []time.Duration {
	var least []time.Duration
	for i, s := range n {
		had := s.phases[phase].ages[name]
		if s.before != nil {
			had = had[:min(len(had), max(1, len(s.before[name])))]
		}
		if i == 0 {
			least = slices.Repeat([]time.Duration{patience}, len(had))
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

// staying is how many processes are as old as they must be, both the oldest first.
func staying(ages, must []time.Duration) int {
	for i, age := range must {
		if i == len(ages) || ages[i] < age {
			return i
		}
	}
	return len(must)
}

// watched is how long a phase was watched at most.
func (n normal) watched(phase string) (longest time.Duration) {
	for _, s := range n {
		longest = max(longest, s.watched[phase])
	}
	return longest
}

// rested is how long the service was left alone before its checks at most.
func (n normal) rested() (longest time.Duration) {
	for _, s := range n {
		longest = max(longest, s.rested)
	}
	return longest
}

// comesAndGoes reports whether the service was started again in a launch without hardening, or waited for that.
func (n normal) comesAndGoes() bool {
	return slices.ContainsFunc(n, func(s sighting) bool {
		for _, o := range s.phases {
			for state := range o.states {
				if strings.Contains(state, "auto-restart") {
					return true
				}
			}
		}
		return s.restarts > 0
	})
}

// everyTime lists what all launches had in a phase, sorted.
func (n normal) everyTime(phase string, what func(observation) map[string]bool) []string {
	var all map[string]bool
	for i, s := range n {
		if i == 0 {
			all = what(s.phases[phase])
		} else {
			all = common(all, what(s.phases[phase]))
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// differs says what a hardened trial did from its start to its end that no launch without hardening did, sorted.
func (n normal) differs(s sighting) []string {
	if len(n) == 0 {
		return nil
	}
	var list []string
	for _, phase := range slices.Sorted(maps.Keys(s.phases)) {
		for _, text := range n.lost(phase, s.phases[phase]) {
			list = append(list, phase+": "+text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.ends)) {
		if want := n.endsOf(name); len(want) > 0 && s.ends[name] != endedWell && !slices.Contains(want, s.ends[name]) {
			list = append(list, fmt.Sprintf("%s ended with %s, without hardening with %s", name, s.ends[name], strings.Join(want, " or ")))
		}
	}
	for _, shape := range slices.Sorted(maps.Keys(s.errors)) {
		if !slices.ContainsFunc(n, func(s sighting) bool { return s.errors[shape] != "" }) {
			list = append(list, newError+s.errors[shape])
		}
	}
	if s.restarts > 0 && !slices.ContainsFunc(n, func(s sighting) bool { return s.restarts > 0 }) {
		list = append(list, fmt.Sprintf("was restarted %d times, without hardening never", s.restarts))
	}
	return list
}

// newError begins what is said of an error in the log.
const newError = "logs an error that it does not log without hardening: "

// endsOf lists how a command ended without hardening.
func (n normal) endsOf(name string) []string {
	var ends []string
	for _, s := range n {
		if end := s.ends[name]; end != "" && !slices.Contains(ends, end) {
			ends = append(ends, end)
		}
	}
	return ends
}

// note adds how the commands of a unit ended, where they have.
func (s *sighting) note(unit state) {
	s.restarts = max(s.restarts, unit.Restarts)
	for _, c := range unit.Commands {
		s.ends[c.name] = ending(c.Code, c.Status)
	}
	if unit.Code != 0 {
		s.ends["the main process"] = ending(unit.Code, unit.Status)
	}
}

// log adds the errors that were logged.
func (s *sighting) log(entries []entry) {
	for _, e := range entries {
		if e.priority <= errorPriority {
			s.errors[nameless(e.text)] = e.text
		}
	}
}

// endedWell is how a process ends that is none to worry about, whatever it does without hardening.
const endedWell = "success"

// ending says how a process ended. Which of the signals that systemd takes for success, systemd.service(5), ends a service
// depends on how far it was when it was stopped.
func ending(code, status int32) string {
	switch signal := unix.Signal(status); {
	case code == exited && status == 0, code == killed && slices.Contains([]unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPIPE}, signal):
		return endedWell
	case code == exited:
		return fmt.Sprintf("status %d", status)
	default:
		return unix.SignalName(signal)
	}
}

func words(set map[string]bool) string {
	if len(set) == 0 {
		return "gone"
	}
	return strings.Join(slices.Sorted(maps.Keys(set)), ", ")
}
