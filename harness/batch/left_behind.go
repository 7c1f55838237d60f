package batch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"temper/harness/place"
	"temper/harness/place/namespace"
	"temper/harness/proc"
	"temper/internal/host"
	"temper/internal/ready"
)

// forManager are the files and directories below /run/systemd in which root leaves units, drop-ins, settings and
// generators for PID 1; systemd.unit(5), systemd-system.conf(5), systemd.generator(7).
var forManager = append(slices.Clone(ready.VolatileDirs),
	"/run/systemd/system-generators", "/run/systemd/system-environment-generators", "/run/systemd/system-preset",
	"/run/systemd/system.conf", "/run/systemd/system.conf.d",
	"/run/systemd/journald.conf", "/run/systemd/journald.conf.d",
)

// maxLeft bounds how much is read of these files.
const maxLeft = 64 << 20

// managerState is what PID 1 of a container reads and was told, by names for people: the files for it that are made
// afresh at each boot, what is mounted over them, its own settings, and the processes outside of units.
func managerState(ctx context.Context, where *place.Place) (map[string]string, error) {
	state, err := where.Manager().Settings(ctx)
	if err != nil {
		return nil, err
	}
	if err := addFiles(state, where.Root()); err != nil {
		return nil, err
	}
	if err := addMounts(state, where.Leader()); err != nil {
		return nil, err
	}
	for _, group := range []string{"", "init.scope"} {
		data, _ := os.ReadFile(filepath.Join(where.Cgroup(), group, "cgroup.procs")) // without the group there are none
		state["the processes in /"+group] = string(data)
	}
	return state, nil
}

// addFiles adds the files at and below the names for PID 1.
func addFiles(state map[string]string, root host.Root) error {
	left := int64(maxLeft)
	add := func(name string, info fs.FileInfo) error {
		if left -= info.Size(); left < 0 {
			return fmt.Errorf("%s: there are more than %d bytes for PID 1, want at most that", name, maxLeft)
		}
		state[name] = info.Mode().String() + content(root, name)
		return nil
	}
	for _, at := range forManager {
		info, err := root.Lstat(at)
		switch {
		case err != nil: // there is none
		case !info.IsDir():
			err = add(at, info)
		default:
			err = root.Walk(at, func(name string, entry fs.DirEntry) error {
				if info, err := entry.Info(); err == nil && !entry.IsDir() { // else it has gone meanwhile
					return add(name, info)
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// content tells the content of a file, or where a link leads, from others.
func content(root host.Root, name string) string {
	if target, err := root.Readlink(name); err == nil {
		return " -> " + target
	}
	data, err := root.ReadFile(name)
	if err != nil {
		return " " + err.Error()
	}
	return fmt.Sprintf(" %x", sha256.Sum256(data))
}

// addMounts adds what is mounted on them, in them, or above them.
func addMounts(state map[string]string, leader int) error {
	outside := func() ([]byte, error) { return namespace.Mountinfo(leader) }
	mounts, err := proc.Machine.Process(leader).Mounts(outside)
	for _, m := range mounts {
		hides := func(dir string) bool { return host.Below(m.Point, dir) || host.Below(dir, m.Point) }
		if slices.ContainsFunc(forManager, hides) {
			state["the mount at "+m.Point] += m.Device + m.Root
		}
	}
	return err
}

// lasting are the directories with what programs and PID 1 are started from and told.
var lasting = []string{"/etc", "/usr", "/bin", "/sbin", "/lib", "/lib64"}

// appended reports whether data was appended to a file in these directories. Elsewhere that is what logs are for.
func appended(where *place.Place, then map[string]place.FileState) (bool, error) {
	now, err := where.FileStates()
	for name, state := range now {
		isBelow := func(dir string) bool { return host.Below(dir, name) }
		if !state.Mode.IsRegular() || !slices.ContainsFunc(lasting, isBelow) {
			continue
		}
		before, known := then[name]
		if !known {
			before = where.CopiedFileState(name)
		}
		if before.Exists && state.Size != before.Size {
			return true, err
		}
	}
	return false, err
}
