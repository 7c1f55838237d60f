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

// lasts reports whether a path without links exists on the copied machine, or on the host where it survives a boot. So
// a file of the machine does not count as new when the overlay copies it for a write.
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
