package place

import (
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place/overlay"
	"temper/internal/host"
)

// ExistedBefore reports whether what is at a path of the place, which may be a link, existed at a time, or exists on the
// machine that the place is a copy of. Where a file system does not record when a file was made, a file that has changed
// since counts as made since.
func (p *Place) ExistedBefore(name string, at time.Time) bool {
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
	real := "/" + strings.TrimPrefix(strings.TrimPrefix(file, p.root.Dir()), "/")
	return time.Unix(made.Sec, int64(made.Nsec)).Before(at) || p.lasts(real)
}

// lasts reports whether a path without links belongs to the machine that the place is a copy of, or is on the host and
// survives a boot. A file that is copied because it is written to does not count as made then.
func (p *Place) lasts(name string) bool {
	if !overlay.Copied(name, "") {
		return false
	}
	if p.box != nil {
		_, err := host.At(p.box.Image).Lstat(name)
		return err == nil
	}
	return p.original(name)
}
