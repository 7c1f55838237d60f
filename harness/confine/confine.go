// Package confine reads whether the sandbox of a process is really there: a service that starts under a directive
// proves nothing where systemd or the kernel has skipped it.
//
// [Read] asks /proc, the control group and systemd about every directive of a plan. What shows nowhere is neither
// confirmed nor denied.
package confine

import (
	"cmp"
	"fmt"
	"time"

	"temper/generator"
	"temper/harness/place/namespace"
	"temper/harness/proc"
	"temper/harness/witness"
)

// A Subject is the main process of a unit, and what is known of the unit.
type Subject struct {
	PID      int                                // here, not in the place
	Leader   int                                // PID 1 of the place, here
	Cgroups  []string                           // directories of control groups: the unit's, and those only it is in
	Property func(directive string) (value any) // what systemd says of the unit; nil if it says nothing
	Version  int                                // of systemd
	// NotAttached is why BPF programs for the unit could not be attached, where that is known.
	NotAttached error
}

// A Confinement is what a process is really kept from. A directive that shows nowhere is in none of its fields; without
// a process to look at all are nil.
type Confinement struct {
	Holds    []string          // directives that were seen to hold
	NoEffect map[string]string // those that were seen not to hold at all, and what was seen instead
	Partly   map[string]string // those of which a part was seen to hold, and what was seen of another
}

// Read finds out what a process is kept from. The error is set if the place has gone.
func Read(s Subject, plan generator.Plan) (Confinement, error) {
	return read(proc.Machine, machine{}, s, plan)
}

// kernel is what has to be asked beside /proc.
type kernel interface {
	// mounts is the text of the mountinfo of a process that has another root directory than its namespace.
	mounts(pid int) ([]byte, error)
	// programs lists the names of the BPF programs on a control group.
	programs(cgroup string) ([]string, error)
}

type machine struct{}

func (machine) mounts(pid int) ([]byte, error)           { return namespace.Mountinfo(pid) }
func (machine) programs(cgroup string) ([]string, error) { return witness.Attached(cgroup) }

func read(dir proc.Dir, k kernel, s Subject, plan generator.Plan) (Confinement, error) {
	main := dir.Process(s.PID)
	if s.PID == 0 || !Executed(main) {
		return Confinement{}, nil
	}
	process, err := look(dir, k, s.PID)
	if err != nil || process.status == nil { // gone: no process to look at
		return Confinement{}, err
	}
	leader, err := look(dir, k, s.Leader)
	if err == nil && leader.status == nil {
		err = fmt.Errorf("process %d, the place's PID 1, is gone", s.Leader)
	}
	if err != nil {
		return Confinement{}, err
	}
	t := traces{Subject: s, process: process, leader: leader}
	t.programs = programs(k, s.Cgroups)
	c := Confinement{NoEffect: map[string]string{}, Partly: map[string]string{}}
	for _, item := range plan.Items {
		name := item.Directive.Name
		switch holds, why := t.shows(item); {
		case holds && why == "":
			c.Holds = append(c.Holds, name)
		case holds:
			c.Partly[name] = why
		case why != "":
			c.NoEffect[name] = why
		}
	}
	if main.Program() == "" { // it ended meanwhile: what was not there to be seen is not what is open
		return Confinement{}, nil
	}
	return c, nil
}

// programs lists the names of the BPF programs on control groups. It is nil where that cannot be learned: what needs it
// is not confirmed then.
func programs(k kernel, cgroups []string) []string {
	names := []string{}
	for _, dir := range cgroups {
		list, err := k.programs(dir)
		if err != nil {
			return nil
		}
		names = append(names, list...)
	}
	return names
}

// Executed waits, shortly, until a process that systemd made is the program of the service; a simple service counts as
// started before it is. It returns false where the process ends before.
func Executed(p proc.Process) bool {
	for range 200 {
		switch p.Program() {
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

// state is what /proc shows of one process; status is nil if it is gone.
type state struct {
	proc.Process
	status map[string]string
	mounts []proc.Mount
}

func look(dir proc.Dir, k kernel, pid int) (state, error) {
	p := dir.Process(pid)
	mounts, err := p.Mounts(func() ([]byte, error) { return k.mounts(pid) })
	return state{Process: p, status: p.Status(), mounts: mounts}, err
}

// shows reports whether it shows that a directive holds, at least in part, and why it does not hold, at least in part:
// systemd 257 and 262 leave /sys writable under ProtectKernelTunables=, and close all that is below /proc.
func (t traces) shows(item generator.Item) (holds bool, why string) {
	seen, why := t.trace(item)
	holds = seen && why == ""
	paths := item.Directive.PathsOf(item.Lines)
	for _, e := range paths {
		there, reason := t.process.open(e)
		seen, holds, why = seen || there, holds || there && reason == "", cmp.Or(why, reason)
	}
	return holds || !seen && len(paths) > 0, why // of paths that are not there nothing is open
}
