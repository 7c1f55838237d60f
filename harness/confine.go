package harness

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"temper/generator"
	"temper/harness/place"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/unit"
)

// A subject is a process that a plan should confine, as the kernel shows it, and its unit.
type subject struct {
	status, leader process
	unit           state
	cgroup         string   // its directory
	programs       []string // names of the BPF programs there; nil = not known
	version        int      // of systemd
}

// A confinement is what a process is really kept from, by the directives of a plan that show somewhere; what shows nowhere is in neither
// of its lists. Without a process to look at all are nil.
type confinement struct {
	Holds    []string          // directives that were seen to hold
	NoEffect map[string]string // those that were seen not to hold at all, and what was seen instead
	Partly   map[string]string // those of which a part was seen to hold, and what was seen of another
}

// confined finds out what the main process of a unit is really kept from.
func confined(where *place.Place, s state, plan generator.Plan) (confinement, error) {
	pid := 0
	if s.PID != 0 {
		pid = mainPID(where, s)
	}
	if pid == 0 || !becomes(pid) {
		return confinement{}, nil
	}
	x := subject{unit: s, cgroup: filepath.Join(where.Cgroup(), s.Cgroup), version: where.SystemdVersion()}
	var err error
	if x.status, err = readProcess(pid); err != nil {
		return confinement{}, nil // gone: no process to look at
	}
	if x.leader, err = readProcess(where.Leader()); err != nil {
		return confinement{}, err
	}
	x.programs, _ = witness.Attached(x.cgroup) // where that cannot be learned, what needs it is not confirmed
	h := confinement{NoEffect: map[string]string{}, Partly: map[string]string{}}
	for _, item := range plan.Items {
		name := item.Directive.Name
		switch held, why := x.shows(item); {
		case held && why == "":
			h.Holds = append(h.Holds, name)
		case held:
			h.Partly[name] = why
		case why != "":
			h.NoEffect[name] = why
		}
	}
	if program(pid) == "" { // it ended meanwhile: what was not there to be seen is not what is open
		return confinement{}, nil
	}
	return h, nil
}

// shows reports whether it shows that a directive holds, at least in part, and why it does not hold, at least in part: systemd 257
// and 262 leave /sys writable under ProtectKernelTunables=, and close all that is below /proc.
func (x subject) shows(item generator.Item) (held bool, why string) {
	seen, why := x.trace(item)
	held = seen && why == ""
	paths := item.Directive.PathsOf(item.Lines)
	for _, e := range paths {
		there, reason := x.status.open(e)
		seen, held, why = seen || there, held || there && reason == "", cmp.Or(why, reason)
	}
	return held || !seen && len(paths) > 0, why // of paths that are not there nothing is open
}

func (x subject) trace(item generator.Item) (seen bool, why string) {
	t, p := item.Directive.Trace, x.status
	last := item.Lines[len(item.Lines)-1]
	switch t.Kind {
	case directive.NoTrace:
		return false, ""
	case directive.InStatus:
		if got := p.status[t.Name]; got != t.Value {
			why = fmt.Sprintf("%s is %q in /proc, want %q", t.Name, got, t.Value)
		}
	case directive.Filtered:
		return p.filtered(x.leader)
	case directive.OwnNS:
		if p.shares(x.leader, t.Name) {
			why = "shares the " + t.Name + " namespace of PID 1"
		}
	case directive.OwnMount:
		if p.covering(t.Name).device == x.leader.covering(t.Name).device {
			why = "has at " + t.Name + " what PID 1 has there"
		}
	case directive.MountOption:
		if want := t.Value + last; !slices.Contains(strings.Split(p.covering(t.Name).super, ","), want) {
			why = fmt.Sprintf("%s is not mounted with %s", t.Name, want)
		}
	case directive.Capabilities:
		why = x.tooCapable(t.Name, item.Lines)
	case directive.NotRoot:
		if strings.HasPrefix(p.status["Uid"], "0\t") {
			why = "runs as root"
		}
	case directive.OnCgroup:
		return x.attached(t.Name)
	case directive.InFile:
		why = x.listed(t.Name, t.Value)
	case directive.InManager:
		if got := fmt.Sprint(x.unit.Properties[item.Directive.Name].Value()); !sameValue(got, last) {
			why = "systemd says that it is " + got
		}
	}
	return true, why
}

// sameValue compares a property on the bus with a value of a unit file.
func sameValue(property, value string) bool {
	on, isBool := unit.Bool(value)
	return property == value || isBool && property == strconv.FormatBool(on)
}

// attached reports whether a program of systemd is on the control group. Old versions give theirs no names.
func (x subject) attached(prefix string) (seen bool, why string) {
	if x.programs == nil {
		return false, ""
	}
	if slices.ContainsFunc(x.programs, func(name string) bool { return name == "" || strings.HasPrefix(name, prefix) }) {
		return true, ""
	}
	return true, "this systemd has attached no BPF program for it"
}

// listed says whether a file of the place lacks a word, as the kernel's list of security modules does.
func (x subject) listed(file, word string) (why string) {
	lines := readLines(x.leader.proc + "/root" + file)
	if !slices.Contains(strings.Split(strings.Join(lines, ","), ","), word) {
		return fmt.Sprintf("the kernel has no %s among its security modules, as %s tells them", word, file)
	}
	return ""
}

// tooCapable says which capabilities a process could still get by one of its sets.
func (x subject) tooCapable(set string, lines []string) (why string) {
	bits, err := strconv.ParseUint(x.status.status[set], 16, 64)
	if err != nil {
		return "/proc shows no " + set
	}
	allowed := directive.ParseCapabilityBoundingSet(append([]string{""}, lines...), x.version)
	if more := directive.CapSet(bits) &^ allowed; more != 0 {
		return set + " still has " + more.String()
	}
	return ""
}

// A process as /proc shows it; proc(5).
type process struct {
	proc   string // its directory in /proc
	status map[string]string
	mounts []mount
}

// mount is a line of /proc/PID/mountinfo: options are those of the mount, super those of the file system.
type mount struct{ device, point, options, super string }

func readProcess(pid int) (process, error) {
	p := process{proc: filepath.Join("/proc", strconv.Itoa(pid)), status: map[string]string{}}
	for _, line := range readLines(p.proc + "/status") {
		name, value, _ := strings.Cut(line, ":")
		p.status[name] = strings.TrimSpace(value)
	}
	if len(p.status) == 0 {
		return p, fmt.Errorf("process %d is gone", pid)
	}
	for _, line := range mountsOf(pid) {
		if f := strings.Fields(line); len(f) > 5 {
			p.mounts = append(p.mounts, mount{f[2], f[4], "," + f[5] + ",", f[len(f)-1]})
		}
	}
	return p, nil
}

// mountsOf lists the mounts of a process, also those that it cannot see since it has taken another root directory.
func mountsOf(pid int) []string {
	proc := fmt.Sprintf("/proc/%d", pid)
	if root, err := os.Readlink(proc + "/root"); err == nil && root != "/" {
		if info, err := place.Mounts(pid); err == nil {
			return splitLines(string(info))
		}
	}
	return readLines(proc + "/mountinfo")
}

// becomes waits, shortly, until a process that systemd made is the program of the service; a simple service counts as started
// before it is. It is false where the process ends before.
func becomes(pid int) bool {
	for range 200 {
		switch program(pid) {
		case "":
			return false
		case "systemd", "systemd-executor": // prepares itself
			time.Sleep(5 * time.Millisecond)
		default:
			return true
		}
	}
	return false
}

// program is the base name of the file that a process runs, "" if it has ended. Its own name does not tell: that of an executor
// which was started by its file descriptor is a number.
func program(pid int) string {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return ""
	}
	return filepath.Base(exe)
}

// shares reports whether two processes are in one namespace, or may be.
func (p process) shares(other process, namespace string) bool {
	own, err := os.Readlink(p.proc + "/ns/" + namespace)
	theirs, err2 := os.Readlink(other.proc + "/ns/" + namespace)
	return err != nil || err2 != nil || own == theirs
}

// filtered says whether a process lacks system call filters of its own, beside those that it has from PID 1. Linux counts them
// since 5.9.
func (p process) filtered(leader process) (seen bool, why string) {
	const mode, count = "Seccomp", "Seccomp_filters"
	own, err := strconv.Atoi(p.status[count])
	theirs, err2 := strconv.Atoi(leader.status[count])
	switch {
	case p.status[mode] != "2":
		return true, fmt.Sprintf("%s is %q in /proc, want \"2\"", mode, p.status[mode])
	case err != nil || err2 != nil:
		return leader.status[mode] != "2", ""
	case own <= theirs:
		return true, "has no other system call filters than PID 1"
	}
	return true, ""
}

// open says how a process still has a path that it should not have, if that is there.
func (p process) open(e directive.PathEffect) (there bool, why string) {
	here, err := host.Root(p.proc + "/root").Path(e.Path) // systemd hides what a link leads to
	if _, err2 := os.Lstat(here); err != nil || err2 != nil {
		return false, ""
	}
	path := cmp.Or(strings.TrimPrefix(here, p.proc+"/root"), "/")
	m := p.covering(path)
	switch {
	case e.Mode == directive.Hidden && m.point != path:
		return true, path + " is not hidden"
	case e.Mode == directive.ReadOnly && !strings.Contains(m.options, ",ro,"):
		return true, path + " is writable"
	case e.Mode == directive.NoExec && !strings.Contains(m.options, ",noexec,"):
		return true, path + " is executable"
	}
	return true, ""
}

// covering is the mount that a path lies on: the last of the most specific.
func (p process) covering(path string) mount {
	var best mount
	for _, m := range p.mounts {
		if host.Below(m.point, path) && len(m.point) >= len(best.point) {
			best = m
		}
	}
	return best
}
