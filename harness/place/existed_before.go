package place

import (
	"path"
	"time"

	"temper/harness/place/overlay"
	"temper/internal/host"
)

// ExistedBefore reports whether what is at a path of the place, which may be a link, existed at a time, or exists on
// the machine that the place is a copy of. Where a file system does not record when a file was made, a file that has
// changed since counts as made since.
func (p *Place) ExistedBefore(name string, at time.Time) bool {
	made, err := p.root.Born(name)
	if err != nil {
		return false
	}
	if made.Before(at) {
		return true
	}
	dir, err := p.root.Real(path.Dir(path.Join("/", name)))
	return err == nil && p.lasts(path.Join(dir, path.Base(name)))
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
