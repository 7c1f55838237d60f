// Package proc reads what Linux shows about processes; proc(5).
//
// Call [Dir.Process] of the [Dir] where proc is mounted. A process can end at any moment: then a method returns an
// empty value and no error, unless its comment says otherwise.
package proc

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// A Dir is a directory where proc is mounted.
type Dir string

// Machine is the proc of this machine.
const Machine Dir = "/proc"

// A Process is the directory that proc has for one process.
type Process string

// Process returns the process with an id in the namespace of d.
func (d Dir) Process(pid int) Process { return Process(filepath.Join(string(d), strconv.Itoa(pid))) }

// Lines returns the lines of a file of the process. Of a file with more than [maxFile] bytes, they are those of its
// beginning.
func (p Process) Lines(name string) []string { return readLines(filepath.Join(string(p), name)) }

// Link returns the target of a symbolic link of the process, such as "ns/net".
func (p Process) Link(name string) string {
	target, _ := os.Readlink(filepath.Join(string(p), name))
	return target
}

// Root is a path to the root directory of the process, as other processes can use it.
func (p Process) Root() string { return filepath.Join(string(p), "root") }

// Comm is the name of the process, as the kernel has it.
func (p Process) Comm() string { return firstLine(p.Lines("comm")) }

// Program is the base name of the file that the process runs; empty if it has ended. [Process.Comm] can differ: for a
// program that was started by its file descriptor it is a number.
func (p Process) Program() string {
	if exe := p.Link("exe"); exe != "" {
		return filepath.Base(exe)
	}
	return ""
}

// Status returns the fields of proc_pid_status(5), nil if the process has ended.
func (p Process) Status() map[string]string {
	var status map[string]string
	for _, line := range p.Lines("status") {
		name, value, _ := strings.Cut(line, ":")
		if status == nil {
			status = map[string]string{}
		}
		status[name] = strings.TrimSpace(value)
	}
	return status
}

// User is the effective user of the process; ok is false if it has ended.
func (p Process) User() (user uint32, ok bool) {
	f := strings.Fields(p.Status()["Uid"])
	if len(f) < 2 {
		return 0, false
	}
	id, err := strconv.ParseUint(f[1], 10, 32)
	return uint32(id), err == nil
}

// Environ returns the environment with which the process was started. The process may have overwritten it, or have said
// with prctl(2) that other memory of it is its environment: more than [maxFile] bytes are an error.
func (p Process) Environ() ([]string, error) {
	data, err := host.ReadKernelFile(filepath.Join(string(p), "environ"), maxFile)
	if errors.Is(err, host.ErrTooLong) {
		return nil, err
	}
	return strings.FieldsFunc(string(data), func(r rune) bool { return r == 0 }), nil
}

// SameNamespace reports whether two processes are in the same namespace of a kind, such as "net". It returns true if it
// cannot read one of them.
func (p Process) SameNamespace(other Process, kind string) bool {
	own, theirs := p.Link("ns/"+kind), other.Link("ns/"+kind)
	return own == "" || theirs == "" || own == theirs
}

// A Stat is a part of proc_pid_stat(5).
type Stat struct {
	Busy   bool // the process runs, or waits for a disk
	Parent int
	Age    time.Duration
}

// Stat returns what the kernel counts for the process.
func (p Process) Stat() Stat {
	const state, parent, start = 0, 1, 19 // after the name in parentheses
	const tick = time.Second / 100        // USER_HZ, the same on every architecture
	line := firstLine(p.Lines("stat"))
	f := strings.Fields(line[strings.LastIndex(line, ")")+1:])
	var now unix.Timespec
	if len(f) <= start || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return Stat{}
	}
	begin, _ := strconv.ParseInt(f[start], 10, 64) // the kernel writes numbers
	id, _ := strconv.Atoi(f[parent])
	return Stat{f[state] == "R" || f[state] == "D", id, time.Duration(now.Nano()) - time.Duration(begin)*tick}
}

// ids lists the ids of the process from the namespace of its proc inwards; NSpid in proc_pid_status(5).
func (p Process) ids() []string { return strings.Fields(p.Status()["NSpid"]) }

// Find returns the process of a list that has an id in the PID namespace of a leader; 0 if there is none. A process has
// one id in each of its nested namespaces; Find compares the one at the depth of the leader.
func (d Dir) Find(pids []int, leader, id int) int {
	depth := len(d.Process(leader).ids())
	i := slices.IndexFunc(pids, func(pid int) bool {
		ids := d.Process(pid).ids()
		return depth > 0 && len(ids) >= depth && ids[depth-1] == strconv.Itoa(id)
	})
	if i < 0 || id == 0 {
		return 0
	}
	return pids[i]
}

// InCgroup lists the processes of a control group, a directory, and of those below it.
func InCgroup(dir string) []int {
	var pids []int
	filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.Name() != "cgroup.procs" {
			return nil // a group that has gone has no processes
		}
		for _, line := range readLines(path) {
			if pid, err := strconv.Atoi(line); err == nil {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}

// maxFile is more than Linux takes as the arguments and the environment of a program, and than a process has in any
// other file unless it wants to fill memory.
const maxFile = 8 << 20

func readLines(path string) []string {
	data, _ := host.ReadKernelFile(path, maxFile)
	text := strings.TrimSuffix(string(data), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

func firstLine(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}
