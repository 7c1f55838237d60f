package host

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// helper is how systemd begins the name of a process that it forks for itself; the one that runs its generators and waits for
// them is (sd-executor) in 252, (sd-exec-strv) in 257 and (generators) in 262.
const helper = "("

// AwaitGenerators returns when the other generators that systemd started beside this process are done, or after limit. They run at
// the same time and PID 1 waits for all: what they write, units and drop-ins, is part of what it will load. It does nothing
// where this process is no generator of systemd's.
func AwaitGenerators(limit time.Duration) {
	self, parent := os.Getpid(), os.Getppid()
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

// hasOther reports whether a process has a child that runs, besides one.
func hasOther(parent, besides int) bool {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, e := range entries {
		var pid int
		if _, err := fmt.Sscan(e.Name(), &pid); err != nil || pid == besides {
			continue
		}
		if _, state, of, ok := process(pid); ok && of == parent && state != "Z" && state != "X" {
			return true
		}
	}
	return false
}

// process reads the name, the state and the parent of a process from proc_pid_stat(5).
func process(pid int) (name, state string, parent int, ok bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", "", 0, false
	}
	open, end := strings.IndexByte(string(data), '('), strings.LastIndexByte(string(data), ')')
	if open < 0 || end < open {
		return "", "", 0, false
	}
	n, _ := fmt.Sscan(string(data[end+1:]), &state, &parent)
	return string(data[open+1 : end]), state, parent, n == 2
}
