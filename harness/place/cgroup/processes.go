package cgroup

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Leader finds PID 1 of the container and the directory that is the root of its cgroup tree.
func (g *Group) Leader() (pid int, dir string, ok bool) {
	own := len(numbers("self"))
	for _, pid := range pidsBelow(g.dir) {
		// It has a number here, one beside systemd-nspawn, and is 1 in the container.
		if n := numbers(strconv.Itoa(pid)); own == 0 || len(n) != own+2 || n[len(n)-1] != "1" {
			continue
		}
		if root, ok := g.containerRoot(pid); ok {
			return pid, root, true
		}
	}
	return 0, "", false
}

// numbers are the ids of a process, from the PID namespace of /proc to its own; none if it has gone.
func numbers(pid string) []string {
	data, _ := os.ReadFile("/proc/" + pid + "/status")
	for line := range strings.Lines(string(data)) {
		if value, found := strings.CutPrefix(line, "NSpid:"); found {
			return strings.Fields(value)
		}
	}
	return nil
}

// containerRoot strips init.scope, where systemd puts itself, from the cgroup of the container's PID 1.
func (g *Group) containerRoot(pid int) (string, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return "", false
	}
	for line := range strings.Lines(string(data)) {
		path, unified := strings.CutPrefix(strings.TrimSpace(line), "0::")
		_, rest, found := strings.Cut(path, "/"+filepath.Base(g.dir)+"/")
		if inner, scoped := strings.CutSuffix(rest, "/init.scope"); unified && found && scoped {
			return filepath.Join(g.dir, inner), true
		}
	}
	return "", false
}

// Processes are the ids of the processes in the cgroup.
func (g *Group) Processes() []int { return pidsBelow(g.dir) }

// pidsBelow lists the processes of a cgroup and of all below it.
func pidsBelow(dir string) []int {
	var pids []int
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "cgroup.procs" {
			return nil // a cgroup that has just gone has no processes
		}
		data, _ := os.ReadFile(path)
		for field := range strings.FieldsSeq(string(data)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids
}
