package ready

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// helper is the first character in the names of processes that systemd forks for itself. The one that runs the
// generators and waits for them is (sd-executor) in 252, (sd-exec-strv) in 257 and (generators) in 262.
const helper = "("

// AwaitGenerators returns when the other generators that systemd has started are done, or after limit. They run at the
// same time as this one, and PID 1 loads the units and drop-ins that they write. It returns at once if systemd did not
// start this process as a generator.
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

// hasOther reports whether a process has a running child other than besides. The kernel's list of children can miss one
// while another ends, and not every kernel has the list: if it shows no child, all processes are checked.
func hasOther(parent, besides int) bool {
	id := strconv.Itoa(parent)
	children, _ := read("/proc/" + id + "/task/" + id + "/children")
	for child := range strings.FieldsSeq(string(children)) {
		if runs(child, parent, besides) {
			return true
		}
	}
	host, _ := newReader("/") // needs no descriptor
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

// runs reports whether an entry of /proc is a running child of parent other than besides.
func runs(entry string, parent, besides int) bool {
	pid, err := strconv.Atoi(entry)
	if err != nil || pid == besides {
		return false
	}
	_, state, of, ok := process(pid)
	return ok && of == parent && state != "Z" && state != "X"
}

// process reads the name, the state and the parent of a process; see proc_pid_stat(5).
func process(pid int) (name, state string, parent int, ok bool) {
	data, err := read("/proc/" + strconv.Itoa(pid) + "/stat")
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if err != nil || open < 0 || end < open {
		return "", "", 0, false
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < 2 {
		return "", "", 0, false
	}
	parent, err = strconv.Atoi(fields[1])
	return string(data[open+1 : end]), fields[0], parent, err == nil
}
