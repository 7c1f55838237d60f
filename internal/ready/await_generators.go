package ready

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// helper is how systemd begins the name of a process that it forks for itself; the one that runs its generators and
// waits for them is (sd-executor) in 252, (sd-exec-strv) in 257 and (generators) in 262.
const helper = "("

// AwaitGenerators returns when the other generators that systemd started beside this process are done, or after limit.
// They run at the same time and PID 1 waits for all: what they write, units and drop-ins, is part of what it will load.
// It does nothing where this process is no generator of systemd's.
func AwaitGenerators(limit time.Duration) {
	self, parent := unix.Getpid(), unix.Getppid()
	name, _, _, ok := process(parent)
	if !ok || !strings.HasPrefix(name, helper) {
		return
	}
	for begin := time.Now(); time.Since(begin) < limit; time.Sleep(time.Millisecond) {
		// The helper sleeps once it has started them all.
		if _, state, _, ok := process(parent); !ok || state == "S" && !hasOther(parent, self) {
			return
		}
	}
}

// hasOther reports whether a process has a child that runs, besides one. The kernel's own list of children may miss one
// while another ends, and not every kernel has it: where it shows none, all processes are asked.
func hasOther(parent, besides int) bool {
	id := strconv.Itoa(parent)
	for child := range strings.FieldsSeq(string(read("/proc/" + id + "/task/" + id + "/children"))) {
		if runs(child, parent, besides) {
			return true
		}
	}
	host, _ := newReader("/") // which needs no descriptor
	all, _, err := host.list("/proc")
	if err != nil {
		return false
	}
	for _, entry := range all {
		if name, _, _ := strings.Cut(entry, "/"); runs(name, parent, besides) {
			return true
		}
	}
	return false
}

// runs reports whether an entry of /proc is a process that runs as a child of parent, besides one.
func runs(entry string, parent, besides int) bool {
	pid, err := strconv.Atoi(entry)
	if err != nil || pid == besides {
		return false
	}
	_, state, of, ok := process(pid)
	return ok && of == parent && state != "Z" && state != "X"
}

// process reads the name, the state and the parent of a process from proc_pid_stat(5).
func process(pid int) (name, state string, parent int, ok bool) {
	data := read("/proc/" + strconv.Itoa(pid) + "/stat")
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return "", "", 0, false
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < 2 {
		return "", "", 0, false
	}
	parent, err := strconv.Atoi(fields[1])
	return string(data[open+1 : end]), fields[0], parent, err == nil
}
