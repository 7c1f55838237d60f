package place

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"temper/internal/host"
)

// Made lists what would not be as it is at the next start of a service on the machine that a container is a copy of: what was made
// or removed since a time, and what was changed by more than that something was appended to it. What systemd keeps for
// itself is not among it. Of the host it is what was made, by whoever, and no boot finds again.
func (p *Place) Made(since time.Time) ([]string, error) {
	var made []string
	for i, at := range p.box.copies() {
		upper := fmt.Sprintf("/proc/%d/root%s/upper", p.box.cmd.Process.Pid, scratchOf(i))
		if err := eachBelow(upper, at, func(name string) {
			if !p.Had(name, since) || p.changed(name, since) {
				made = append(made, name)
			}
		}); err != nil {
			return nil, err
		}
	}
	for _, at := range forgotten {
		if err := eachBelow(path.Join(string(p.root), at), at, func(name string) {
			if !p.Had(name, since) {
				made = append(made, name)
			}
		}); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// copies are the file systems that a container is a copy of; the host is none.
func (c *container) copies() []string {
	if c == nil {
		return nil
	}
	return c.layers
}

// forgotten are file systems of which no boot finds anything again.
var forgotten = []string{"/run", "/tmp", "/dev/shm", "/dev/mqueue"}

// systemsOwn are directories that systemd, its journal and the bus write to whatever is started; file-hierarchy(7).
var systemsOwn = map[string]bool{
	"/var/lib/systemd": true, "/var/log/journal": true, "/run/systemd": true, "/run/log": true, "/run/dbus": true, "/run/udev": true,
	"/run/host": true, "/run/credentials": true, "/run/user": true,
}

// others matches directories that temper itself and systemd, for PrivateTmp=, make whatever is started.
var others = regexp.MustCompile(`^/run/temper|^(/var)?/tmp/systemd-private-[^/]*$`)

// eachBelow calls f with the path in a place of everything below a directory that is at a path of it.
func eachBelow(dir, at string, f func(name string)) error {
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		name := path.Join(at, strings.TrimPrefix(file, dir))
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone meanwhile, or never a directory
			return nil
		case err != nil:
			return err
		case entry.IsDir() && (systemsOwn[name] || others.MatchString(name)):
			return filepath.SkipDir
		case file != dir:
			f(name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("what was made in the container: %w", err)
	}
	return nil
}

// changed reports whether a file is not what it was in the image, but for what was appended to it.
func (p *Place) changed(name string, since time.Time) bool {
	image := host.Root(p.box.Image)
	now, err := p.root.Lstat(name)
	if err != nil || !changedAt(now).After(since) {
		return false
	}
	before, err := image.Lstat(name)
	if err != nil {
		return !now.IsDir()
	}
	owner, ok := now.Sys().(*syscall.Stat_t)
	had, also := before.Sys().(*syscall.Stat_t)
	if !ok || !also || now.Mode() != before.Mode() || owner.Uid != had.Uid || owner.Gid != had.Gid {
		return true
	}
	if !now.Mode().IsRegular() {
		return false
	}
	return before.Size() == 0 && now.Size() > 0 || !begins(p.root, image, name, before.Size())
}

func changedAt(info fs.FileInfo) time.Time {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return info.ModTime()
	}
	return time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec))
}

// begins reports whether a file of one root begins with what that of another holds, as far as a look at a part of it tells.
func begins(root, with host.Root, name string, size int64) bool {
	var parts [2][]byte
	for i, r := range []host.Root{root, with} {
		file, err := r.Path(name)
		if err != nil {
			return false
		}
		f, err := os.Open(file)
		if err != nil {
			return false
		}
		parts[i], err = io.ReadAll(io.LimitReader(f, min(size, maxCopied)))
		if err = errors.Join(err, f.Close()); err != nil {
			return false
		}
	}
	return bytes.Equal(parts[0], parts[1])
}
