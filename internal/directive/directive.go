// Package directive is what temper knows about systemd's sandboxing directives. The table has a row for each: its
// values and the first systemd version with each, how it merges with what a unit sets already, its ladder down to off,
// what it implies and which paths it takes away.
//
// Start with [Lookup]. [Directive.Check] validates what a profile asks for, [Directive.Merge] turns it into assignments
// that never weaken a unit, [Directive.Weaker] and [Directive.Exceptions] list what can be tried instead when a service
// breaks.
//
// The packages temper/internal/values and temper/internal/syscalls parse the assignments of lists. Facts come from
// systemd.exec(5) and systemd.resource-control(5) and were compared with systemd 247, 252, 257 and 262.
package directive

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/refusal"
)

// A Directive is one row of the table.
type Directive struct {
	Name    string   // as in a unit file, without "="
	Aliases []string // older names, which systemd still reads
	Since   int      // first systemd version that knows it; 0 = older than 231
	Values  []Value  // of an ordered directive: from the weakest, which means off, to the strongest
	Default string   // of an ordered directive: the value when nothing is assigned; "" = the weakest
	With    string   // the directive without which this one does nothing, such as the list of its exceptions
	Implies []Effect // what systemd adds to a unit that sets it to its strongest value
	// Declares are the ways in which a sandbox refuses what the vendor's unit lists here by name: the service needs it,
	// and only a profile that names the unit takes it away.
	Declares []refusal.Kind
	Filters  bool     // systemd implements it with a system call filter; see [Directive.Brings]
	Widens   []Effect // what it allows: a unit that does not allow this does not get the directive
	Clashes  []Clash  // assignments with which systemd does not load it: a unit that has one does not get the directive
	Paths    []PathEffect
	Covers   string  // the value that replaces its hidden paths by file systems of the service's own
	Mounts   []Mount // what it mounts: a unit that closes one of these does not get the directive
	// Refuses are the ways in which a service notices the directive. Which paths, capabilities, system calls,
	// families or namespaces are concerned follows from the rest of the row.
	Refuses   []refusal.Kind
	Lifts     refusal.Kind // of a list of exceptions: the kind of refusal that it lifts, whichever directive causes it
	Undoes    []string     // of a list of exceptions: directories each of which gives back most of what is taken
	ResetsToo string       // of a list: another one that an empty assignment resets too
	Gathers   bool         // of a list of exceptions: a profile adds to those of its bases, and does not replace them
	Try       Try          // of a list of exceptions: those to try before the directive itself is given up
	Trace     Trace        // where one can see that it is in force, apart from Paths
	Unseen    string       // why one cannot see that it is in force
	// Bypasses are what a process can have so that the directive, though it is in force, does not bind it.
	Bypasses []Bypass
	Late     bool   // it needs default dependencies, since it orders the unit after the setup of temporary files
	Man      string // the man page that documents it
	Forbids  string // one line for people: what a service can no longer do
	Breaks   string // one line for people: what usually breaks
	kind     kind
	order    int
}

// A Value is one value of an ordered directive.
type Value struct {
	Name  string
	Since int // first systemd version with this value; 0 = as old as the directive
	Rank  int // greater is stronger; values of one rank forbid different things, and neither replaces the other
}

// An Effect is an assignment that systemd adds because of a directive.
type Effect struct {
	Directive, Value string
	Since, Until     int  // first and last systemd version that adds it; 0 = no bound
	WhenOff          bool // only if the unit leaves Directive off
}

// in reports whether a systemd version has the effect.
func (e Effect) in(version int) bool {
	return version >= e.Since && (e.Until == 0 || version <= e.Until)
}

// A Clash is an assignment of a unit that systemd does not accept together with a directive.
type Clash struct {
	Directive, Value string // Value "" stands for any value except the empty one
	With             string // the value of the directive that it clashes with; "" = any
}

// Try says which exceptions to try when no evidence says which are needed.
type Try struct {
	Names   []string // these names
	Sockets bool     // the sockets on which the service listens without hardening
	Home    bool     // the working directory of the service
}

// A Bypass is a way around a directive that is in force, for a process that has all of what the fields name.
type Bypass struct {
	Capability string   // "" = it needs none
	RootGroup  bool     // it is in group 0
	Calls      []string // it may make one of these system calls; none = it needs none
	Upto       string   // the strongest value around which it leads; "" = every value
	Why        string   // for people: what makes it a way around the directive
}

// BypassesOf lists the ways around the directive when it is set to lines.
func (d *Directive) BypassesOf(lines []string, version int) []Bypass {
	return slices.DeleteFunc(slices.Clone(d.Bypasses), func(b Bypass) bool {
		if b.Upto == "" {
			return false
		}
		set, _ := d.Read(lines, version)
		return set.Rank > d.rank(b.Upto)
	})
}

// A PathEffect is what a value of a directive, and every stronger one, does to a path.
type PathEffect struct {
	Path  string
	Mode  PathMode
	Value string // the weakest value that has the effect
	// the strongest value for which systemd mounts at the path itself, and not only above it; "" = every stronger value
	Upto string
}

// A Mount is a file system that systemd mounts for a service because of a value. What the unit forbids for the
// directories above does not apply inside the mount.
type Mount struct {
	Path       string
	Value      string // the weakest value that does so, and no other of its rank; "" = every value but off
	Since      int    // first systemd version that mounts it; 0 = as old as the value
	Writable   bool   // it is writable even if the directory above is read-only
	Executable bool   // its files are executable even if the directory above is noexec
}

// PathMode says what a service can still do with a path.
type PathMode int

const (
	Writable PathMode = iota // nothing is taken away
	ReadOnly
	Hidden // inaccessible, or replaced by something empty
	NoExec // not executable
)

// A Trace is where one can see that a directive is in force for a process. The zero Trace means nowhere.
type Trace struct {
	Kind  TraceKind
	Name  string // its meaning depends on Kind
	Value string // of the field, the option or the file
}

// TraceKind says where to look: in the /proc/PID directory of the process, see proc(5), unless the kind says otherwise.
type TraceKind int

// NoTrace is the kind of the zero Trace.
const (
	NoTrace      TraceKind = iota
	InStatus               // the field Name of status is Value
	Filtered               // the process has more system call filters than PID 1, which can have those of its container
	OwnNS                  // the namespace ns/Name is not that of PID 1
	OwnMount               // the mount at Name is another than that of PID 1
	MountOption            // the file system at Name has the option Value, which continues with the directive's value
	Capabilities           // the field Name of status has only the capabilities that the directive allows
	NotRoot                // the process does not run as root
	OnCgroup               // a BPF program whose name begins with Name is attached to the control group
	InFile                 // the file Name of the place has Value in a list
	InManager              // systemd itself enforces it, and the unit's property of the same name says so
)

// SeccompTrace is the trace of every directive that is a system call filter.
var SeccompTrace = Trace{Kind: Filtered}

// StatusTrace is a field of /proc/PID/status.
func StatusTrace(field, value string) Trace { return Trace{InStatus, field, value} }

// NamespaceTrace is a namespace of the process's own: "mnt", "net", "ipc", "uts", "pid", "user" or "cgroup".
func NamespaceTrace(name string) Trace { return Trace{Kind: OwnNS, Name: name} }

// MountTrace is a mount of the process's own at a path.
func MountTrace(path string) Trace { return Trace{Kind: OwnMount, Name: path} }

// CgroupTrace is a BPF program on the control group; systemd uses these for restrictions for which the kernel has no
// other means.
func CgroupTrace(name string) Trace { return Trace{Kind: OnCgroup, Name: name} }

// filterNeeds is what systemd adds to a unit with a system call filter if the service has no CAP_SYS_ADMIN when the
// filter is installed: the kernel accepts a filter from an unprivileged process only with it. Since 255 systemd keeps
// the capability until the filter is installed (systemd#6763).
var filterNeeds = Effect{Directive: "NoNewPrivileges", Value: "yes", Until: 254}

// ownMounts is what systemd does for every directive that mounts something: the service gets a mount namespace.
var ownMounts = Effect{Directive: "PrivateMounts", Value: "yes", Since: 239}

// mountsFor reports whether a systemd version mounts something for the directive.
func (d *Directive) mountsFor(version int) bool {
	switch d.kind.(type) {
	case closedPathList, coverPathList, bindPathList:
		return true
	}
	return len(d.Paths) > 0 || d.Trace.Kind == OwnMount || d.Trace.Kind == MountOption ||
		slices.ContainsFunc(d.Mounts, func(m Mount) bool { return version >= m.Since && m.Value == "" })
}

// Brings lists what a systemd version adds to a unit that sets the directive to its strongest value. unprivileged says
// that the service starts as a user without privileges.
func (d *Directive) Brings(version int, unprivileged bool) []Effect {
	all := slices.Clone(d.Implies)
	if d.Filters && unprivileged {
		all = append(all, filterNeeds)
	}
	if d.mountsFor(version) {
		all = append(all, ownMounts)
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

// Check returns what is wrong with the assignments that a profile makes, or nil. It accepts every value of the newest
// systemd: the plan decides which of them the machine's systemd has.
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

// maxValue is the most bytes that one assignment may have; the longest list of system calls has a tenth of that.
const maxValue = 64 << 10

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// Is reports whether a name is the directive's name, or one of its older names.
func (d *Directive) Is(name string) bool { return name == d.Name || slices.Contains(d.Aliases, name) }

// Allow returns the assignments want changed so that they allow names too: the names are added to a list of exceptions,
// or made exceptions from what another directive refuses.
func (d *Directive) Allow(want, names []string, version int) []string {
	switch {
	case !d.Restricts():
		return append(slices.Clone(want), names...)
	case len(names) > 0:
		return d.Except(want, names, version)
	}
	return want
}

// FirstVersion returns the first systemd version that reads the directive with these values; 0 if every version since
// 231 does.
func (d *Directive) FirstVersion(lines []string) int {
	first := d.Since
	for _, v := range d.Values {
		if slices.Contains(lines, v.Name) {
			first = max(first, v.Since)
		}
	}
	return first
}

// Restricts reports whether the directive takes something from a service. It is false for a directive that makes
// exceptions from another one, or that says how a refusal looks.
func (d *Directive) Restricts() bool { return d.With == "" }

// Ordered reports whether the directive has a fixed list of values.
func (d *Directive) Ordered() bool { return len(d.Values) > 0 }

// byName is made at the first call, since most boots do not need it.
var byName = sync.OnceValue(func() map[string]*Directive {
	m := make(map[string]*Directive, len(table))
	for i, d := range table {
		d.order = i
		m[d.Name] = d
	}
	return m
})

// Canonical returns the current name of a directive for an older name, and any other name unchanged.
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

// mounts lists what systemd mounts because of a value of an ordered directive, and because of what the value implies.
func (d *Directive) mounts(v Value, version int) []Mount {
	if v.Rank == 0 {
		return nil
	}
	var all []Mount
	for _, m := range d.Mounts {
		if version >= m.Since && (v.Rank > d.rank(m.Value) || v.Name == m.Value) {
			all = append(all, m)
		}
	}
	for _, e := range d.NamedPaths([]string{v.Name}) {
		if e.Mode == ReadOnly && !host.Below("/proc", e.Path) &&
			!host.Below("/sys", e.Path) { // both are noexec already
			all = append(all, Mount{Path: e.Path, Executable: true})
		}
		if e.Mode == Hidden && v.Name == d.Covers {
			all = append(all, Mount{Path: e.Path, Writable: true, Executable: true})
		}
	}
	for _, e := range d.Implies {
		implied := byName()[e.Directive]
		if implied.Ordered() && e.in(version) {
			value, _ := implied.Value(e.Value, version)
			all = append(all, implied.mounts(value, version)...)
		}
	}
	return all
}

// rank returns the rank of the value with this name; 0 if the table has none.
func (d *Directive) rank(name string) int {
	for _, v := range d.Values {
		if v.Name == name {
			return v.Rank
		}
	}
	return 0
}
