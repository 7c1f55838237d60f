package observe

import (
	"cmp"
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
func (b Baselines) Missing(phase string, s Snapshot) []Difference {
	if b.isRestarted() {
		return nil
	}
	var missing []Difference
	add := func(format string, args ...any) {
		missing = append(missing, Difference{Text: fmt.Sprintf(format, args...)})
	}
	for _, socket := range b.Sockets(phase) {
		if !s.Sockets[socket] {
			add("does not listen on %s, as it does without hardening", socket)
		}
	}
	for _, process := range b.inAll(phase, func(s Snapshot) map[string]bool { return s.Processes }) {
		if !s.Processes[process] {
			add("does not run %s, as it does without hardening", process)
		}
	}
	for _, name := range b.inAll(phase, Snapshot.lineage) {
		process, _, _ := strings.Cut(name, " of ")
		want := b.requiredAges(phase, name)
		switch stay := countStaying(s.Ages[name], want); {
		case stay == len(want) || !s.Processes[process]:
			continue
		case stay == 0:
			add("does not keep %s running, as it does without hardening", name)
		default:
			add("keeps only %d %s running, without hardening %d", stay, name, len(want))
		}
	}
	for _, state := range b.inAll(phase, func(s Snapshot) map[string]bool { return s.States }) {
		if !s.States[state] {
			add("is %s, without hardening %s", join(s.States), state)
		}
	}
	return append(missing, b.compareMounts(phase, s)...)
}

// compareMounts compares what the service has mounted and unmounted for everybody.
func (b Baselines) compareMounts(phase string, s Snapshot) []Difference {
	var list []Difference
	add := func(mount, format string) {
		_, at, _ := strings.Cut(mount, " at ")
		list = append(list, Difference{Kind: Mounted, Text: fmt.Sprintf(format, mount), Path: at})
	}
	for _, mount := range b.inAll(phase, func(s Snapshot) map[string]bool { return s.Mounted }) {
		if !s.Mounted[mount] {
			add(mount, "does not mount %s where others see it, as it does without hardening")
		}
	}
	for _, mount := range b.inAll(phase, func(s Snapshot) map[string]bool { return s.Unmounted }) {
		if !s.Unmounted[mount] {
			add(mount, "does not unmount %s where others see it, as it does without hardening")
		}
	}
	return list
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

// Differences says how a hardened launch differs from all launches without hardening, each difference once. It leaves
// out what the profile of the launch means.
func (b Baselines) Differences(l Launch) []Difference {
	if len(b) == 0 {
		return nil
	}
	var list []Difference
	for _, phase := range slices.Sorted(maps.Keys(l.Phases)) {
		for _, d := range b.Missing(phase, l.Phases[phase]) {
			d.Text = phase + ": " + d.Text
			list = append(list, d)
		}
	}
	list = append(list, b.compareEnds(l)...)
	for _, phase := range slices.Sorted(maps.Keys(l.Files)) {
		for _, d := range b.CompareFiles(phase, l.Files[phase]) {
			if !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	list = append(list, b.compareAnswers(l)...)
	list = append(list, b.compareLines(l)...)
	return slices.DeleteFunc(list, func(d Difference) bool { return d.isMeant(l.Expected) })
}

// compareEnds compares how commands ended, and how often the service was restarted.
func (b Baselines) compareEnds(l Launch) []Difference {
	var list []Difference
	add := func(format string, args ...any) {
		list = append(list, Difference{Text: fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Ends)) {
		end := l.Ends[name]
		if want := b.ends(name); len(want) > 0 && end != endedWell && !slices.Contains(want, end) {
			add("%s ended with %s, without hardening with %s", name, end, strings.Join(want, " or "))
		}
	}
	if l.Restarts > 0 && !slices.ContainsFunc(b, func(b Launch) bool { return b.Restarts > 0 }) {
		add("was restarted %d times, without hardening never", l.Restarts)
	}
	return list
}

// compareAnswers says what is answered to probes otherwise than in all launches without hardening.
func (b Baselines) compareAnswers(l Launch) []Difference {
	var list []Difference
	for _, name := range slices.Sorted(maps.Keys(b[0].Answers)) {
		facts := b.facts(name)
		now, asked := l.Answers[name]
		if !asked {
			continue // it does not listen, which is told already
		}
		for _, about := range slices.Sorted(maps.Keys(facts)) {
			if now[about] != facts[about] {
				text := fmt.Sprintf("%s answers a client, asked for %s: %s; without hardening: %s",
					name, about, cmp.Or(now[about], "nothing"), facts[about])
				list = append(list, Difference{Kind: Answered, Text: text})
			}
		}
	}
	return list
}

// facts are what all launches answered alike to a probe.
func (b Baselines) facts(name string) Facts {
	all := maps.Clone(b[0].Answers[name])
	for _, l := range b[1:] {
		maps.DeleteFunc(all, func(about, fact string) bool { return l.Answers[name][about] != fact })
	}
	return all
}

// Greeting lists the sockets that greeted a client in a launch without hardening, or did anything else but wait.
func (b Baselines) Greeting() []string {
	var names []string
	for _, l := range b {
		for name, facts := range l.Answers {
			if facts["a greeting"] != "none" {
				names = append(names, name)
			}
		}
	}
	return names
}

// compareLines lists what is logged and no launch without hardening logs, errors first.
func (b Baselines) compareLines(l Launch) []Difference {
	var failures, others []Difference
	for _, key := range slices.Sorted(maps.Keys(l.Lines)) {
		line := l.Lines[key]
		isKnown := func(b Launch) bool { _, known := b.Lines[key]; return known }
		switch {
		case slices.ContainsFunc(b, isKnown):
		case line.IsError:
			text := "logs an error that it does not log without hardening: " + line.Text
			failures = append(failures, Difference{Kind: Logged, Text: text, Line: line.Text})
		default:
			text := "logs what it does not log without hardening: " + line.Text
			others = append(others, Difference{Kind: NewLine, Text: text, Line: line.Text})
		}
	}
	return append(failures, others...)
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
