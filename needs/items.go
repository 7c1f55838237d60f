package needs

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"temper/internal/refusal"
)

// does says in words what a service does that has a need of a kind, before the subject.
var does = map[refusal.Kind]string{
	refusal.PathReadOnly:  "writes",
	refusal.PathHidden:    "sees",
	refusal.PathAbsent:    "makes or writes",
	refusal.PathNoExec:    "executes",
	refusal.Device:        "opens the device",
	refusal.Family:        "uses sockets of",
	refusal.Capability:    "uses the capability",
	refusal.Syscall:       "makes the system calls",
	refusal.Architecture:  "makes system calls for",
	refusal.Namespace:     "makes a namespace:",
	refusal.Realtime:      "is scheduled in real time:",
	refusal.WriteExecute:  "writes code that it executes, by",
	refusal.SetuidBit:     "sets the setuid or setgid bit of",
	refusal.Personality:   "changes its execution domain to",
	refusal.Network:       "sends to",
	refusal.SocketBind:    "listens on",
	refusal.UserMapping:   "changes to the user or group",
	refusal.NewPrivileges: "gets privileges by executing",
	refusal.ProcessHidden: "looks at other processes:",
	refusal.ProcHidden:    "reads",
}

// Does says what a service does that has the need: "writes", "/var/log/x".
func (n Need) Does() (verb, subject string) {
	if verb = does[n.Kind]; verb == "" {
		verb = "uses " + string(n.Kind)
	}
	if subject = n.Subject; strings.HasSuffix(subject, "/") {
		subject += "..."
	}
	return verb, subject
}

// An Item is what a person decides about at once: one need, or all system calls that are not decided about yet.
type Item struct {
	Text  string
	Needs []Need
}

// Items lists the needs for a person. System calls are one item for those that are accepted and one for the others:
// there are many, and which ones are needed says little to most people.
func (r Record) Items() []Item {
	var list []Item
	calls := map[bool][]Need{}
	for _, n := range r.Needs {
		if n.Kind == refusal.Syscall {
			calls[n.Accepted] = append(calls[n.Accepted], n)
			continue
		}
		verb, subject := n.Does()
		list = append(list, Item{verb + " " + subject, []Need{n}})
	}
	for _, accepted := range []bool{true, false} {
		if some := calls[accepted]; len(some) > 0 {
			var names []string
			for _, n := range some {
				names = append(names, n.Subject)
			}
			list = append(list, Item{does[refusal.Syscall] + " " + strings.Join(names, " "), some})
		}
	}
	return list
}

// Seen says how often and when what an item is about was seen, and by which program.
func (i Item) Seen() string {
	var count uint64
	var last time.Time
	var programs []string
	for _, n := range i.Needs {
		count += n.Count
		if n.Last.After(last) {
			last = n.Last
		}
		if !slices.Contains(programs, n.Program) {
			programs = append(programs, n.Program)
		}
	}
	const most = 3
	if len(programs) > most {
		programs = append(programs[:most], "...")
	}
	day := last.UTC().Format(time.DateOnly)
	return fmt.Sprintf("%d times, last on %s, by %s", count, day, strings.Join(programs, ", "))
}

// Accepted reports whether a person has accepted the item.
func (i Item) Accepted() bool { return i.Needs[0].Accepted }

// Has reports whether the item is about a need.
func (i Item) Has(n Need) bool {
	return slices.ContainsFunc(i.Needs, func(one Need) bool { return one.key() == n.key() })
}
