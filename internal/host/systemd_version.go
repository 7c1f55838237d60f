package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/ready"
)

// ErrNoSystemd says that no version of systemd was found in a root.
var ErrNoSystemd = errors.New("no libsystemd-shared-NNN.so: systemd is not installed")

// libraryDirs are where distributions keep systemd's private library, whose file name carries the version:
// Debian since 252 and Fedora below a multiarch or lib64 directory, others in /usr/lib/systemd.
var libraryDirs = []string{
	"/usr/lib/systemd", "/usr/lib/*-linux-*/systemd", "/usr/lib64/systemd", "/lib/systemd", "/lib/*-linux-*/systemd",
}

// SystemdVersion returns the major version, such as 257, of the systemd that is installed in the root. The error wraps
// [ErrNoSystemd] if there is none.
func (r Root) SystemdVersion() (int, error) {
	best := 0
	var errs []error
	for _, pattern := range libraryDirs {
		dirs, err := r.expand(pattern)
		errs = append(errs, err)
		for _, dir := range dirs {
			version, err := libraryVersion(r, dir)
			best, errs = max(best, version), append(errs, err)
		}
	}
	if best > 0 {
		return best, nil
	}
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("%s: %w", r, ErrNoSystemd)
}

// list is [Root.ReadDir], for which a directory that is not there is an empty one.
func (r Root) list(dir string) ([]fs.DirEntry, error) {
	entries, err := r.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil, nil
	}
	return entries, err
}

// expand returns the directories that match a pattern with at most one wildcard.
func (r Root) expand(pattern string) ([]string, error) {
	star := strings.Index(pattern, "*")
	if star < 0 {
		return []string{pattern}, nil
	}
	parent := path.Dir(pattern[:star] + "x")
	entries, err := r.list(parent)
	var dirs []string
	for _, e := range entries {
		dir := path.Join(parent, e.Name())
		if ok, _ := filepath.Match(path.Dir(pattern), dir); ok {
			dirs = append(dirs, path.Join(dir, path.Base(pattern)))
		}
	}
	return dirs, err
}

func libraryVersion(r Root, dir string) (int, error) {
	entries, err := r.list(dir)
	best := 0
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), "libsystemd-shared-")
		if !ok {
			continue
		}
		digits := name[:len(name)-len(strings.TrimLeft(name, "0123456789"))]
		if v, err := strconv.Atoi(digits); err == nil && strings.HasSuffix(name, ".so") {
			best = max(best, v)
		}
	}
	return best, err
}

// KernelRelease returns the release of the running kernel as uname(2) returns it, such as "6.12.1-amd64". It is the
// same for every root: trials run on the kernel of this machine.
func (r Root) KernelRelease() (string, error) {
	r.note(ready.Kernel, "")
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return string(bytes.TrimRight(u.Release[:], "\x00")), nil
}
