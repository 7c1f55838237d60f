package shared

import (
	"fmt"
	"os"
	"strings"
)

// openFiles counts, up to enough, the descriptors of a process whose link in /proc/PID/fd begins with one of the
// prefixes; proc(5).
func openFiles(prefixes ...string) func(pid, enough int) int {
	return func(pid, enough int) (n int) {
		path := fmt.Sprintf("/proc/%d/fd/", pid)
		dir, err := os.Open(path)
		if err != nil {
			return 0
		}
		defer dir.Close()
		for {
			names, err := dir.Readdirnames(1024)
			for _, name := range names {
				target, _ := os.Readlink(path + name)
				n += count(target, prefixes)
			}
			if err != nil || n >= enough {
				return n
			}
		}
	}
}

// count is 1 where a name has one of the prefixes.
func count(name string, prefixes []string) int {
	for _, prefix := range prefixes {
		if strings.HasPrefix(name, prefix) {
			return 1
		}
	}
	return 0
}

// mappings counts the mappings of a name in the memory of a process; proc_pid_maps(5).
func mappings(name string) func(pid, enough int) int {
	return func(pid, _ int) int {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		return strings.Count(string(data), " "+name)
	}
}
