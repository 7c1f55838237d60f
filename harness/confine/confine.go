// Package confine reads whether the sandbox of a process is really there: a service that starts under a directive
// proves nothing if systemd or the kernel has skipped the directive.
//
// [Read] asks /proc, the control group and systemd about every directive of a plan. A directive that leaves no trace is
// neither confirmed nor denied. It also compares the mounts of the process with those that it has without hardening: a
// directive that mounts something new must not open what was closed.
package confine

import (
	"cmp"
	"fmt"
	"time"

	"temper/generator"
	"temper/harness/place/namespace"
	"temper/harness/proc"
)

// A Subject is the main process of a unit, and what is known of the unit.
type Subject struct {
	PID      int                                // its id on this machine, not in the place
	Leader   int                                // the id on this machine of PID 1 of the place
	Cgroups  []string                           // directories of control groups: the unit's, and those only it is in
	Property func(directive string) (value any) // the property of the unit; nil if systemd has none
	Version  int                                // of systemd
	// Unhardened is what was read of the unit without hardening; the zero value if that is not known.
	Unhardened Confinement
	// NotAttached is why BPF programs for the unit could not be attached, where that is known.
	NotAttached error
}

// A Confinement says which directives really hold for a process. A directive that leaves no trace is in none of its
// fields. If there is no process, all fields are nil.
type Confinement struct {
	Holds    []string          // directives that were seen to hold
	NoEffect map[string]string // those that were seen not to hold at all, and what was seen instead
	Partly   map[string]string // those that were seen to hold only in part, and what was seen of the other part
	Weakens  map[string]string // those that give back what is closed without hardening, and what that is
	Bypassed map[string]string // those that hold, in full or in part, and do not bind the process, and why
	Mounts   []proc.Mount      // of the process
	// OwnMounts says that the process has another mount namespace than PID 1.
	OwnMounts bool
}

// Read finds out which directives of a plan hold for a process. It returns an error if the place has ended.
func Read(s Subject, plan generator.Plan) (Confinement, error) {
	return read(proc.Machine, machine{}, s, plan)
}

// kernel answers the questions that /proc does not.
type kernel interface {
	// mounts is the text of the mountinfo of a process that has another root directory than its namespace.
	mounts(pid int) ([]byte, error)
	// programs lists the names of the BPF programs on a control group.
	programs(cgroup string) ([]string, error)
}

type machine struct{}

func (machine) mounts(pid int) ([]byte, error)           { return namespace.Mountinfo(pid) }
func (machine) programs(cgroup string) ([]string, error) { return attachedPrograms(cgroup) }

func read(dir proc.Dir, k kernel, s Subject, plan generator.Plan) (Confinement, error) {
	main := dir.Process(s.PID)
	if s.PID == 0 || !Executed(main) {
		return Confinement{}, nil
	}
	process, err := readState(dir, k, s.PID)
	if err != nil || process.status == nil { // the process has ended
		return Confinement{}, err
	}
	leader, err := readState(dir, k, s.Leader)
	if err == nil && leader.status == nil {
		err = fmt.Errorf("process %d, the place's PID 1, is gone", s.Leader)
	}
	if err != nil {
		return Confinement{}, err
	}
	t := traces{Subject: s, process: process, leader: leader}
	t.programs = programs(k, s.Cgroups)
	c := Confinement{
		NoEffect: map[string]string{}, Partly: map[string]string{}, Bypassed: map[string]string{},
		Weakens: t.weakens(plan), Mounts: process.mounts,
		OwnMounts: !process.SameNamespace(leader.Process, "mnt"),
	}
	for _, item := range plan.Items {
		name := item.Directive.Name
		switch holds, why := t.shows(item); {
		case holds && why == "":
			c.Holds = append(c.Holds, name)
		case holds:
			c.Partly[name] = why
		case why != "":
			c.NoEffect[name] = why
			continue
		}
		if why := t.bypass(item); why != "" {
			c.Bypassed[name] = why
		}
	}
	if main.Program() == "" { // it ended meanwhile, and what could not be read may hold
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

// Executed waits up to a second until a process of systemd has executed the program of the service: a service of
// Type=simple counts as started before that. It returns false if the process ends first.
func Executed(p proc.Process) bool {
	for range 200 {
		switch p.Program() {
		case "":
			return false
		case "systemd", "systemd-executor": // still sets up the sandbox
			time.Sleep(5 * time.Millisecond)
		default:
			return true
		}
	}
	return false
}

// state is what /proc shows of one process; status is nil if it has ended.
type state struct {
	proc.Process
	status map[string]string
	mounts []proc.Mount
}

func readState(dir proc.Dir, k kernel, pid int) (state, error) {
	p := dir.Process(pid)
	mounts, err := p.Mounts(func() ([]byte, error) { return k.mounts(pid) })
	return state{Process: p, status: p.Status(), mounts: mounts}, err
}

// shows reports whether a directive is seen to hold, at least in part, and why it is seen not to hold, at least in
// part. Both happen: systemd 257 and 262 leave /sys writable under ProtectKernelTunables=, and close all paths below
// /proc.
func (t traces) shows(item generator.Item) (holds bool, why string) {
	seen, why := t.trace(item)
	holds = seen && why == ""
	paths := item.Directive.PathsOf(item.Lines)
	for _, e := range paths {
		there, reason := t.open(e)
		seen, holds, why = seen || there, holds || there && reason == "", cmp.Or(why, reason)
	}
	return holds || !seen && len(paths) > 0, why // paths that do not exist are closed
}
