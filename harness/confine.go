package harness

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"temper/generator"
	"temper/internal/directive"
)

// A process is one that a plan should confine, as /proc shows it; proc(5).
type process struct {
	proc    string // its directory in /proc
	leader  string // that of the place's PID 1
	status  map[string]string
	mounts  []mount
	version int // of systemd
}

// mount is a line of /proc/PID/mountinfo.
type mount struct{ point, options string }

func readProcess(pid, leader int) (process, error) {
	p := process{proc: filepath.Join("/proc", strconv.Itoa(pid)), leader: filepath.Join("/proc", strconv.Itoa(leader)), status: map[string]string{}}
	for _, line := range readLines(p.proc + "/status") {
		name, value, _ := strings.Cut(line, ":")
		p.status[name] = strings.TrimSpace(value)
	}
	if len(p.status) == 0 {
		return p, fmt.Errorf("process %d is gone", pid)
	}
	for _, line := range readLines(p.proc + "/mountinfo") {
		if f := strings.Fields(line); len(f) > 5 {
			p.mounts = append(p.mounts, mount{f[4], "," + f[5] + ","})
		}
	}
	return p, nil
}

// Confined reads from /proc what a process is really kept from. For each directive of the plan that shows there it tells
// whether it holds: Confirmed lists those that do, Ineffective says of each other what was seen instead. Directives that
// leave no trace, such as IPAddressDeny=, are in neither.
func Confined(pid, leader, version int, plan generator.Plan) (confirmed []string, ineffective map[string]string, err error) {
	p, err := readProcess(pid, leader)
	p.version = version
	if err != nil {
		return nil, nil, err
	}
	ineffective = map[string]string{}
	for _, item := range plan.Items {
		seen, why := p.shows(item)
		switch {
		case why != "":
			ineffective[item.Directive.Name] = why
		case seen:
			confirmed = append(confirmed, item.Directive.Name)
		}
	}
	return confirmed, ineffective, nil
}

// shows reports whether a directive leaves a trace in /proc, and why the process does not have it.
func (p process) shows(item generator.Item) (seen bool, why string) {
	t := item.Directive.Trace
	switch t.Kind {
	case directive.InStatus:
		if got := p.status[t.Name]; got != t.Value {
			why = fmt.Sprintf("%s is %q in /proc, want %q", t.Name, got, t.Value)
		}
	case directive.OwnNS:
		if p.sharesNamespace(t.Name) {
			why = "shares the " + t.Name + " namespace of PID 1"
		}
	case directive.OwnMount:
		if !p.mounted(t.Name) {
			why = "nothing is mounted at " + t.Name
		}
	case directive.CapBnd:
		why = p.tooCapable(item.Lines)
	}
	for _, e := range item.Directive.PathsOf(item.Lines) {
		if reason := p.open(e); why == "" {
			why = reason
		}
		seen = true
	}
	return seen || t.Kind != directive.NoTrace, why
}

func (p process) sharesNamespace(name string) bool {
	own, err := os.Readlink(p.proc + "/ns/" + name)
	other, err2 := os.Readlink(p.leader + "/ns/" + name)
	return err != nil || err2 != nil || own == other
}

func (p process) mounted(point string) bool {
	for _, m := range p.mounts {
		if m.point == point {
			return true
		}
	}
	return false
}

// tooCapable says which capabilities a process could still get.
func (p process) tooCapable(lines []string) string {
	bits, err := strconv.ParseUint(p.status["CapBnd"], 16, 64)
	if err != nil {
		return "/proc shows no bounding set"
	}
	allowed := directive.ParseCapabilityBoundingSet(append([]string{""}, lines...), p.version)
	if more := directive.CapSet(bits) &^ allowed; more != 0 {
		return "the bounding set still has " + more.String()
	}
	return ""
}

// open says how a process still has a path that it should not have.
func (p process) open(e directive.PathEffect) string {
	info, err := os.Lstat(p.proc + "/root" + e.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return "" // not there, or a name of something that has a path of its own
	}
	m := p.covering(e.Path)
	switch {
	case e.Mode == directive.Hidden && m.point != e.Path:
		return e.Path + " is not hidden"
	case e.Mode == directive.ReadOnly && !strings.Contains(m.options, ",ro,"):
		return e.Path + " is writable"
	}
	return ""
}

// covering is the mount that a path lies on: the last of the most specific.
func (p process) covering(path string) mount {
	var best mount
	for _, m := range p.mounts {
		inside := m.point == path || m.point == "/" || strings.HasPrefix(path, m.point+"/")
		if inside && len(m.point) >= len(best.point) {
			best = m
		}
	}
	return best
}
