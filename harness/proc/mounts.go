package proc

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"

	"temper/harness/place/namespace"
	"temper/internal/host"
)

// A Mount is a line of proc_pid_mountinfo(5).
type Mount struct {
	ID      int
	Parent  int    // the id of the mount on which it is mounted
	Device  string // "0:25"
	Root    string // the directory of the file system that is mounted
	Point   string
	Options []string // of the mount
	Super   []string // of the file system
}

// Mounts lists all mounts in the mount namespace of the process. If the process has another root directory, its file
// mountinfo shows only a part of them; then Mounts uses the text that outside returns. A process that has ended has no
// mounts.
func (p Process) Mounts(outside func() ([]byte, error)) ([]Mount, error) {
	if root := p.Link("root"); root != "" && root != "/" {
		if text, err := outside(); err == nil {
			return ParseMounts(text)
		}
	}
	text, err := namespace.ReadMountinfo(filepath.Join(string(p), "mountinfo"))
	if errors.Is(err, host.ErrTooLong) {
		return nil, err
	}
	return ParseMounts(text)
}

// ParseMounts reads the text of a mountinfo file.
func ParseMounts(text []byte) ([]Mount, error) {
	infos, err := mountinfo.GetMountsFromReader(bytes.NewReader(text), nil)
	if err != nil {
		return nil, err
	}
	var mounts []Mount
	for _, i := range infos {
		mounts = append(mounts, Mount{
			ID: i.ID, Parent: i.Parent, Device: fmt.Sprintf("%d:%d", i.Major, i.Minor), Root: i.Root,
			Point:   i.Mountpoint,
			Options: strings.Split(i.Options, ","), Super: strings.Split(i.VFSOptions, ","),
		})
	}
	return mounts, nil
}

// Has reports whether the mount, or its file system, has an option.
func (m Mount) Has(option string) bool {
	return slices.Contains(m.Options, option) || slices.Contains(m.Super, option)
}

// Covering returns the mount that a path is on. It goes from mount to mount as the kernel does: a mount below a
// directory over which something else is mounted is out of reach.
func Covering(mounts []Mount, path string) Mount {
	ids := map[int]bool{}
	for _, m := range mounts {
		ids[m.ID] = true
	}
	at, found := entered(mounts, path, "/", func(m Mount) bool { return !ids[m.Parent] || m.Parent == m.ID })
	for range mounts {
		next, more := entered(mounts, path, at.Point, func(m Mount) bool { return m.Parent == at.ID && m.ID != at.ID })
		if !found || !more {
			break
		}
		at = next
	}
	return at
}

// entered returns the first mount that a path enters below a directory, of those that is accepts. Of two on one
// directory it is the later one.
func entered(mounts []Mount, path, below string, is func(Mount) bool) (first Mount, found bool) {
	for _, m := range mounts {
		if is(m) && host.Below(m.Point, path) && host.Below(below, m.Point) &&
			(!found || len(m.Point) <= len(first.Point)) {
			first, found = m, true
		}
	}
	return first, found
}
