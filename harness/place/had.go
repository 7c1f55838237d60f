package place

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// Had reports whether what is at a path of the place, which may be a link, was there at a time, or on the machine that the place
// is a copy of. Where a file system does not tell when a file was made, one that has changed since counts as made since.
func (p *Place) Had(name string, at time.Time) bool {
	dir, err := p.root.Path(path.Dir(path.Join("/", name)))
	if err != nil {
		return false
	}
	file := filepath.Join(dir, path.Base(name))
	var st unix.Statx_t
	const want = unix.STATX_BTIME | unix.STATX_CTIME
	if unix.Statx(unix.AT_FDCWD, file, unix.AT_SYMLINK_NOFOLLOW, want, &st) != nil {
		return false
	}
	made := st.Btime
	if st.Mask&unix.STATX_BTIME == 0 {
		made = st.Ctime
	}
	real := "/" + strings.TrimPrefix(strings.TrimPrefix(file, string(p.root)), "/")
	return time.Unix(made.Sec, int64(made.Nsec)).Before(at) || p.lasts(real)
}

// lasts reports whether a path, on the way to which there are no links, is one of the machine that the place is a copy of, or of
// the host for good: it does not matter then that a file was copied when it was first written to.
func (p *Place) lasts(name string) bool {
	if p.box != nil {
		_, err := host.Root(p.box.Image).Lstat(name)
		return err == nil && wanted(name, "")
	}
	return wanted(name, "") && p.originals.have(name)
}

// originals are directories of the host while copies cover them.
type originals struct {
	mu     sync.Mutex
	layers []layer
}

func (o *originals) add(more []layer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.layers = append(o.layers, more...)
}

func (o *originals) forget(gone []layer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range gone {
		o.layers = slices.DeleteFunc(o.layers, func(other layer) bool { return other.fd == l.fd })
		_ = unix.Close(l.fd)
	}
}

// have reports whether a path is there without the copies.
func (o *originals) have(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range o.layers {
		if host.Below(l.at, name) {
			var st unix.Stat_t
			rest := path.Join(".", strings.TrimPrefix(name, l.at))
			return unix.Fstatat(l.fd, rest, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
		}
	}
	return true
}
