package confine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"temper/generator"
	"temper/harness/proc"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/values"
)

// traces are where a directive can leave a trace: in a process, compared with PID 1 of its place, and in its unit.
type traces struct {
	Subject
	process, leader state
	programs        []string // names of the BPF programs on its control group; nil if they are not known
}

// trace reads the trace of a directive that the table names. why is empty if the directive holds.
func (t traces) trace(item generator.Item) (seen bool, why string) {
	ask, ok := asking[item.Directive.Trace.Kind]
	if !ok {
		return false, ""
	}
	return ask(t, item.Directive.Trace, item)
}

// asking has the function that reads each kind of trace.
var asking = map[directive.TraceKind]func(t traces, at directive.Trace, item generator.Item) (seen bool, why string){
	directive.InStatus: func(t traces, at directive.Trace, _ generator.Item) (bool, string) {
		got := t.process.status[at.Name]
		return unless(got == at.Value, "%s is %q in /proc, want %q", at.Name, got, at.Value)
	},
	directive.Filtered: func(t traces, _ directive.Trace, _ generator.Item) (bool, string) {
		return t.process.filtered(t.leader)
	},
	directive.OwnNS: func(t traces, at directive.Trace, _ generator.Item) (bool, string) {
		shared := t.process.SameNamespace(t.leader.Process, at.Name)
		return unless(!shared, "shares the %s namespace of PID 1", at.Name)
	},
	directive.OwnMount: func(t traces, at directive.Trace, _ generator.Item) (bool, string) {
		own, theirs := proc.Covering(t.process.mounts, at.Name), proc.Covering(t.leader.mounts, at.Name)
		return unless(own.Device != theirs.Device, "has at %s what PID 1 has there", at.Name)
	},
	directive.MountOption: func(t traces, at directive.Trace, item generator.Item) (bool, string) {
		want := at.Value + last(item)
		has := slices.Contains(proc.Covering(t.process.mounts, at.Name).Super, want)
		return unless(has, "%s is not mounted with %s", at.Name, want)
	},
	directive.Capabilities: func(t traces, at directive.Trace, item generator.Item) (bool, string) {
		return true, t.tooCapable(at.Name, item.Lines)
	},
	directive.NotRoot: func(t traces, _ directive.Trace, _ generator.Item) (bool, string) {
		return unless(t.process.uid() != t.leader.uid(), "runs as root")
	},
	directive.OnCgroup: func(t traces, at directive.Trace, _ generator.Item) (bool, string) {
		return t.attached(at.Name)
	},
	directive.InFile: func(t traces, at directive.Trace, _ generator.Item) (bool, string) {
		return true, t.lacks(at.Name, at.Value)
	},
	directive.InManager: func(t traces, _ directive.Trace, item generator.Item) (bool, string) {
		got := fmt.Sprint(t.Property(item.Directive.Name))
		return unless(sameValue(got, last(item)), "systemd says that it is %s", got)
	},
}

// unless returns that a trace was seen, and the reason if the directive does not hold.
func unless(holds bool, format string, args ...any) (seen bool, why string) {
	if holds {
		return true, ""
	}
	return true, fmt.Sprintf(format, args...)
}

func last(item generator.Item) string { return item.Lines[len(item.Lines)-1] }

// sameValue compares a property of D-Bus with a value of a unit file.
func sameValue(property, value string) bool {
	on, isBool := unit.Bool(value)
	return property == value || isBool && property == strconv.FormatBool(on)
}

// attached reports whether a BPF program of systemd is attached to the control group. Old versions of systemd give
// their programs no names.
func (t traces) attached(prefix string) (seen bool, why string) {
	if t.programs == nil {
		return false, ""
	}
	ofSystemd := func(name string) bool { return name == "" || strings.HasPrefix(name, prefix) }
	if slices.ContainsFunc(t.programs, ofSystemd) {
		return true, ""
	}
	if t.NotAttached != nil {
		return true, fmt.Sprintf("no BPF program could be attached for it: %v", t.NotAttached)
	}
	return true, "this systemd has attached no BPF program for it"
}

// lacks says whether a file of the place lacks a word, as the kernel's list of security modules does.
func (t traces) lacks(file, word string) (why string) {
	text, _ := host.At(t.leader.Root()).ReadFile(file) // a service can have mounted anything there
	if !slices.Contains(strings.Split(strings.TrimSpace(string(text)), ","), word) {
		return fmt.Sprintf("the kernel has no %s among its security modules, as %s tells them", word, file)
	}
	return ""
}

// tooCapable says which capabilities a process could still get by one of its sets.
func (t traces) tooCapable(set string, lines []string) (why string) {
	bits, err := strconv.ParseUint(t.process.status[set], 16, 64)
	if err != nil {
		return "/proc shows no " + set
	}
	allowed := values.ParseCapabilityBoundingSet(append([]string{""}, lines...), t.Version)
	if more := values.CapSet(bits) &^ allowed; more != 0 {
		return set + " still has " + more.String()
	}
	return ""
}

// uid is the real user of a process. The user of PID 1 is root of the place, whatever its id on this machine.
func (s state) uid() string {
	uid, _, _ := strings.Cut(s.status["Uid"], "\t")
	return uid
}

// filtered says whether a process has more system call filters than PID 1, from which it inherits some. Linux counts
// them since 5.9.
func (s state) filtered(leader state) (seen bool, why string) {
	const mode, count = "Seccomp", "Seccomp_filters"
	own, err := strconv.Atoi(s.status[count])
	theirs, err2 := strconv.Atoi(leader.status[count])
	switch {
	case s.status[mode] != "2":
		return true, fmt.Sprintf("%s is %q in /proc, want \"2\"", mode, s.status[mode])
	case err != nil || err2 != nil:
		return leader.status[mode] != "2", ""
	case own <= theirs:
		return true, "has no other system call filters than PID 1"
	}
	return true, ""
}

// open says in which way a path is still open to the process, and whether the path exists.
func (t traces) open(e directive.PathEffect) (there bool, why string) {
	root := host.At(t.process.Root())
	path, err := root.Real(e.Path) // systemd hides what a link leads to
	if _, err2 := root.Lstat(path); err != nil || err2 != nil {
		return false, ""
	}
	m, theirs := proc.Covering(t.process.mounts, path), proc.Covering(t.leader.mounts, path)
	same := m.Device == theirs.Device && m.Root == theirs.Root // as where /tmp is a file system for everybody
	switch {
	case e.Mode == directive.Hidden && (m.Point != path || same):
		return true, path + " is not hidden"
	case e.Mode == directive.ReadOnly && !slices.Contains(m.Options, "ro"):
		return true, path + " is writable"
	case e.Mode == directive.NoExec && !slices.Contains(m.Options, "noexec"):
		return true, path + " is executable"
	}
	return true, ""
}
