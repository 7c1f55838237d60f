package hostcopy

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"temper/harness/place/overlay"
	"temper/harness/place/owner"
	"temper/internal/hint"
	"temper/internal/host"
)

// unused returns an error where a directory has a copy already or a process uses it.
func unused(dir string) error {
	mounts, err := mountinfo.GetMounts(func(m *mountinfo.Info) (skip, stop bool) {
		if m.Mountpoint == "/" { // the root of a container; no copy is mounted there
			return true, false
		}
		near := host.Below(dir, m.Mountpoint) || host.Below(m.Mountpoint, dir)
		return m.Source != overlay.Source || m.FSType != "overlay" || !near, false
	})
	switch {
	case err != nil:
		return err
	case len(mounts) > 0 || slices.ContainsFunc(othersDirectories(), func(other string) bool {
		return host.Below(dir, other) || host.Below(other, dir)
	}):
		return errCovered
	}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	workingDirs, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range slices.Concat(files, workingDirs) {
		if target, err := os.Readlink(link); err == nil && host.Below(dir, target) {
			pid := strings.Split(link, "/")[2]
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			return hint.With(fmt.Errorf("process %s (%s) uses it", pid, strings.TrimSpace(string(name))),
				"temper prove --place container")
		}
	}
	return nil
}

// othersDirectories lists the directories over which living processes have recorded copies. They count also where
// nothing is mounted: the copies may be gone and what was made for them may not, and that must not be removed from a
// copy in place of the original.
func othersDirectories() []string {
	var dirs []string
	names, _ := filepath.Glob(scratchPrefix + "*")
	for _, name := range names {
		if r, err := readRecord(name); err == nil && !owner.Gone(filepath.Base(name)) {
			dirs = append(dirs, r.Dirs...)
		}
	}
	return dirs
}
