package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"

	"temper/internal/host"
)

// A Mount is a line of proc_pid_mountinfo(5).
type Mount struct {
	Device  string // "0:25"
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
	text, _ := os.ReadFile(filepath.Join(string(p), "mountinfo"))
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
			Device: fmt.Sprintf("%d:%d", i.Major, i.Minor), Point: i.Mountpoint,
			Options: strings.Split(i.Options, ","), Super: strings.Split(i.VFSOptions, ","),
		})
	}
	return mounts, nil
}

// Covering returns the mount that a path is on: the last one of those with the longest mount point.
func Covering(mounts []Mount, path string) Mount {
	var best Mount
	for _, m := range mounts {
		if host.Below(m.Point, path) && len(m.Point) >= len(best.Point) {
			best = m
		}
	}
	return best
}
