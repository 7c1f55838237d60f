package place

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/hint"
	"temper/internal/systemd"
)

// group is the cgroup in which one container runs.
type group struct {
	dir  string // in cgroup2
	fd   int
	hold *placeholder // until the container is in it; nil without a scope
}

// hierarchies are the mount points of every cgroup tree, cgroup2 first. Beside cgroup2 a machine of the hybrid kind has
// version 1 trees, in one of which systemd-nspawn makes the same directory again.
func hierarchies() (unified string, all []string, err error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2", "cgroup"))
	if err != nil {
		return "", nil, err
	}
	for _, m := range mounts {
		if m.FSType == "cgroup2" && unified == "" {
			unified = m.Mountpoint
		}
		all = append(all, m.Mountpoint)
	}
	if unified == "" {
		return "", nil, hint.With(errors.New("no cgroup2 file system is mounted"), "mount -t cgroup2 none /sys/fs/cgroup/unified")
	}
	return unified, all, nil
}

// newGroup makes the cgroup: a scope of the machine's systemd, or a directory where another program is PID 1.
func newGroup(ctx context.Context, name string) (*group, error) {
	unified, _, err := hierarchies()
	if err != nil {
		return nil, err
	}
	g := &group{dir: filepath.Join(unified, name)}
	if systemd.Booted() {
		g.dir, g.hold, err = newScope(ctx, unified, name)
	} else {
		err = privileged(os.Mkdir(g.dir, 0o755))
	}
	if err != nil {
		return nil, err
	}
	g.fd, err = unix.Open(g.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, errors.Join(err, g.remove())
	}
	return g, nil
}

// occupied tells the group that a process is in it, or that none will come.
func (g *group) occupied() {
	if g.hold != nil {
		g.hold.release()
		g.hold = nil
	}
}

// leader finds PID 1 of the container and the directory that is the root of its cgroup tree.
func (g *group) leader() (pid int, dir string, ok bool) {
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
func (g *group) containerRoot(pid int) (string, bool) {
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

// remove clears the cgroup, which must have no processes but dying ones, from every hierarchy.
func (g *group) remove() error {
	g.occupied()
	if g.fd > 0 {
		_ = unix.Close(g.fd)
	}
	unified, all, err := hierarchies()
	if err != nil {
		return err
	}
	path, err := filepath.Rel(unified, g.dir)
	for _, top := range all {
		err = errors.Join(err, removeGroup(context.Background(), filepath.Join(top, path)))
	}
	return err
}

const removeWithin = 5 * time.Second

// removeGroup kills what is left in the cgroup at dir and removes it with all below it. One that is not there is fine.
func removeGroup(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, removeWithin)
	defer cancel()
	if strings.HasSuffix(dir, ".scope") {
		if err := stopScope(ctx, dir); err != nil {
			return err
		}
	}
	for {
		err := removeTree(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		killGroup(dir)
		select {
		case <-ctx.Done():
			return fmt.Errorf("remove cgroup: %w", err)
		case <-time.After(pollEvery):
		}
	}
}

// killGroup kills the processes of a cgroup and of all below it, one by one where the kernel does not do it (version 1
// trees, and Linux before 5.14). Those that have gone already are as good.
func killGroup(dir string) {
	if os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0) == nil {
		return
	}
	for _, pid := range pidsBelow(dir) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// removeTree removes a tree of directories from the leaves up; the files of a cgroup go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return unix.Rmdir(dir)
}
