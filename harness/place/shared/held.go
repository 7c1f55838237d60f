package shared

import (
	"fmt"
	"iter"
	"os"
	"strings"
	"time"
)

// A link is one below /proc/PID by which a process shows that it has something; proc_pid_fd(5) and
// proc_pid_map_files(5). The kernel cuts what it points to at a page, as it does not in /proc/PID/maps.
type link struct {
	dir, prefix string // where it is, and what its target begins with
}

// What one look at processes costs at most: they can have very many descriptors.
const (
	mostLinks = 20_000
	longest   = 200 * time.Millisecond
)

// heldBy reports whether processes are seen to hold much of the resource. What is beyond the bounds is not seen.
func (r resource) heldBy(processes []int) bool {
	if r.many == 0 {
		return false
	}
	held, seen, until := 0, 0, time.Now().Add(longest)
	for _, pid := range processes {
		for target := range targets(fmt.Sprintf("/proc/%d/%s/", pid, r.link.dir)) {
			if seen++; seen > mostLinks || time.Now().After(until) {
				return false
			}
			if strings.HasPrefix(target, r.link.prefix) {
				held++
			}
			if held >= r.many {
				return true
			}
		}
	}
	return false
}

// targets yields what the links in a directory point to. A process that has ended has none.
func targets(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		dir, err := os.Open(path)
		if err != nil {
			return
		}
		defer dir.Close()
		for err == nil {
			var names []string
			names, err = dir.Readdirnames(256)
			for _, name := range names {
				if target, _ := os.Readlink(path + name); !yield(target) {
					return
				}
			}
		}
	}
}
