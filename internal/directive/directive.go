// Package directive is what temper knows about systemd's sandboxing directives: one table row each, with its values and
// the systemd version that brought them, how it merges with what a unit already sets, its ladder down to off, what it
// implies and which paths it takes away.
//
// Start with [Lookup]. [Directive.Check] validates what a profile asks for, [Directive.Merge] turns it into assignments
// that never weaken a unit, [Directive.Weaker] and [Directive.Exceptions] are the ways down when a service breaks.
//
// What the assignments of a list amount to is in temper/internal/values and temper/internal/syscalls. Facts come from
// systemd.exec(5) and systemd.resource-control(5) and were compared with systemd 247, 252, 257 and 262.
package directive

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"temper/internal/hint"
	"temper/internal/refusal"
)

// A Directive is one row of the table.
type Directive struct {
	Name    string   // as in a unit file, without "="
	Aliases []string // older names, which systemd still reads
	Since   int      // first systemd version that knows it; 0 = older than 231
	Values  []Value  // of an ordered directive: from the weakest, which is also off, to the strongest
	Default string   // of an ordered directive: what holds when nothing is assigned; "" = the weakest
	With    string   // a directive without which this one does nothing, such as the list whose exceptions it holds
	Implies []Effect // what systemd adds to a unit that sets it to its strongest value
	Filters bool     // it is a system call filter, which see [Directive.Brings]
	Widens  []Effect // what it opens where a unit had closed it: such a unit is left without it
	Clashes []Clash  // what systemd does not accept beside it: a unit that has it is left without the directive
	Paths   []PathEffect
	Covers  string  // the value with which its hidden paths are file systems of the service's own
	Mounts  []Mount // what it mounts: a unit that keeps one of these closed is left without it
	// Refuses are the ways in which a service notices the directive. Which paths, capabilities, system calls,
	// families or namespaces are concerned follows from the rest of the row.
	Refuses []refusal.Kind
	Lifts   refusal.Kind // of a list of exceptions: what it lifts whichever directive causes it, not only With
	Undoes  []string     // of a list of exceptions: directories each of which gives back most of what is taken
	Try     Try          // of a list of exceptions: those worth trying before the directive itself is given up
	Trace   Trace        // where it shows that it holds, besides Paths
	Unseen  string       // why it shows nowhere that it holds
	Late    bool         // needs default dependencies: orders the unit after temporary files are set up
	Man     string       // the man page that documents it
	Forbids string       // one line for people: what a service can no longer do
	Breaks  string       // one line for people: what usually breaks
	kind    kind
	order   int
}

// A Value is one value of an ordered directive.
type Value struct {
	Name  string
	Since int // first systemd version with this value; 0 = as old as the directive
	Rank  int // greater is stronger; values of one rank forbid different things, and neither replaces the other
}

// An Effect is an assignment that a directive brings along.
type Effect struct {
	Directive, Value string
	Since, Until     int  // first and last systemd version that does so; 0 = no bound
	WhenOff          bool // only where the unit leaves the directive off
}

// in reports whether the effect holds in a version.
func (e Effect) in(version int) bool {
	return version >= e.Since && (e.Until == 0 || version <= e.Until)
}

// A Clash is an assignment of a unit that systemd does not accept beside a directive.
type Clash struct {
	Directive, Value string // Value "" stands for any but the empty one
	With             string // the value of the directive that it clashes with; "" = any
}

// Try says which exceptions are worth trying when nothing tells which are needed.
type Try struct {
	Names   []string // these
	Sockets bool     // those for the sockets on which the service listens without hardening
	Home    bool     // the working directory of the service
}

// A PathEffect is what a value of a directive, and every stronger one, does to a path.
type PathEffect struct {
	Path  string
	Mode  PathMode
	Value string // the weakest value that has the effect
	// the strongest value for which systemd names the path itself, and not just one above it; "" = the strongest
	Upto string
}

// A Mount is what systemd mounts for a service because of a value. What the unit closes above it does not hold there.
type Mount struct {
	Path       string
	Value      string // the weakest value that does so, and no other of its rank; "" = every value but off
	Since      int    // first systemd version that does so; 0 = as old as the value
	Writable   bool   // it can be written where what is above is read-only
	Executable bool   // files in it can be executed where what is above is noexec
}

// PathMode says what a service can still do with a path.
type PathMode int

const (
	Writable PathMode = iota // nothing is taken away
	ReadOnly
	Hidden // inaccessible, or replaced by something empty
	NoExec // not executable
)

// A Trace is where it shows that a directive holds for a process. The zero Trace shows nowhere.
type Trace struct {
	Kind  TraceKind
	Name  string // what Kind says
	Value string // of the field, the option or the file
}

// TraceKind says where a Trace shows: in the /proc/PID directory of the process, see proc(5), unless it says otherwise.
type TraceKind int

// NoTrace is the kind of the zero Trace.
const (
	NoTrace      TraceKind = iota
	InStatus               // the field Name of status is Value
	Filtered               // the process has more system call filters than PID 1, which has those of a container
	OwnNS                  // the namespace ns/Name is not that of PID 1
	OwnMount               // what is mounted at Name is not what PID 1 has there
	MountOption            // the file system at Name has the option Value, which continues with the directive's value
	Capabilities           // the field Name of status has no other capabilities
	NotRoot                // the process is not root's
	OnCgroup               // a BPF program whose name begins with Name is attached to the control group
	InFile                 // the file Name of the place has Value in a list
	InManager              // systemd itself enforces it, and says so in the unit's property of the same name
)

// SeccompTrace is that of every directive that is a system call filter.
var SeccompTrace = Trace{Kind: Filtered}

// StatusTrace shows as a field of /proc/PID/status.
func StatusTrace(field, value string) Trace { return Trace{InStatus, field, value} }

// NamespaceTrace shows as a namespace of its own: "mnt", "net", "ipc", "uts", "pid", "user" or "cgroup".
func NamespaceTrace(name string) Trace { return Trace{Kind: OwnNS, Name: name} }

// MountTrace shows as a mount of its own at a path.
func MountTrace(path string) Trace { return Trace{Kind: OwnMount, Name: path} }

// CgroupTrace shows as a BPF program on the control group, by which systemd enforces what the kernel has no other
// means for.
func CgroupTrace(name string) Trace { return Trace{Kind: OnCgroup, Name: name} }

// filterNeeds is what systemd adds to a unit with a system call filter whose service has no CAP_SYS_ADMIN when the
// filter is installed: the kernel takes a filter from an unprivileged process only so. Since 255 systemd keeps the
// capability until then (systemd#6763).
var filterNeeds = Effect{Directive: "NoNewPrivileges", Value: "yes", Until: 254}

// Brings lists what a version of systemd adds to a unit that sets the directive to its strongest value, if the
// service is started as a user without privileges or not.
func (d *Directive) Brings(version int, unprivileged bool) []Effect {
	all := d.Implies
	if d.Filters && unprivileged {
		all = append(slices.Clone(all), filterNeeds)
	}
	return slices.DeleteFunc(slices.Clone(all), func(e Effect) bool { return !e.in(version) })
}

// Lookup returns the row of a directive by its exact name.
func Lookup(name string) (*Directive, bool) {
	d, ok := byName()[name]
	return d, ok
}

// All returns the table in the order in which directives are written to a drop-in.
func All() []*Directive {
	byName() // sets the order
	return slices.Clone(table)
}

// Compare orders two directives as the table does.
func Compare(a, b *Directive) int { return a.order - b.order }

// Check returns what is wrong with the assignments that a profile makes, or nil. It knows every value of the newest
// systemd: whether the machine's systemd has it is decided when the plan is made.
func (d *Directive) Check(lines []string) error {
	for _, v := range lines {
		if i := strings.IndexFunc(v, isControl); i >= 0 {
			return fmt.Errorf("%s= holds the control character %q, want plain text on one line", d.Name, v[i])
		}
		if len(v) > maxValue {
			return fmt.Errorf("%s= has a value of %d bytes, want at most %d", d.Name, len(v), maxValue)
		}
	}
	return d.kind.check(d, lines)
}

// maxValue bounds one assignment; the longest list of system calls is a tenth of it.
const maxValue = 64 << 10

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Is reports whether a unit can set the directive by a name, older ones included.
func (d *Directive) Is(name string) bool { return name == d.Name || slices.Contains(d.Aliases, name) }

// Allow returns the assignments of want that allow names as well: added to a list of exceptions, taken from what
// another directive refuses.
func (d *Directive) Allow(want, names []string, version int) []string {
	switch {
	case !d.Restricts():
		return append(slices.Clone(want), names...)
	case len(names) > 0:
		return d.Except(want, names, version)
	}
	return want
}

// Restricts reports whether the directive takes something from a service, rather than making an exception from what
// another directive takes or saying how a refusal looks.
func (d *Directive) Restricts() bool { return d.With == "" }

// Ordered reports whether the directive has a fixed list of values.
func (d *Directive) Ordered() bool { return len(d.Values) > 0 }

// byName is made when it is first asked: at most boots nobody asks, and a table that is not written is not copied.
var byName = sync.OnceValue(func() map[string]*Directive {
	m := make(map[string]*Directive, len(table))
	for i, d := range table {
		d.order = i
		m[d.Name] = d
	}
	return m
})

// Canonical returns the name that a directive has now, for an older one; any other name is returned as it is.
func Canonical(name string) string {
	if now, ok := byAlias()[name]; ok {
		return now
	}
	return name
}

var byAlias = sync.OnceValue(func() map[string]string {
	m := map[string]string{}
	for _, d := range table {
		for _, alias := range d.Aliases {
			m[alias] = d.Name
		}
	}
	return m
})

// Suggest returns the directive whose name is nearest to a misspelt one, or "" if none is near.
func Suggest(name string) string {
	names := make([]string, len(table))
	for i, d := range table {
		names[i] = d.Name
	}
	return hint.Nearest(name, names)
}
