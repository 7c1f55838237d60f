package place

import (
	"io/fs"
	"path"
	"syscall"
	"time"

	"temper/harness/place/overlay"
	"temper/internal/host"
)

// A FileState is what is at a path of the place. The zero value says that nothing is there.
type FileState struct {
	Exists      bool
	Mode        fs.FileMode // kind and permissions
	User, Group uint32      // as the place numbers them
	Size        int64       // 0 for a directory
	Modified    time.Time   // of a directory the zero time
}

// FileStates returns what is at every path at which a container may differ from the copied machine, also at those of
// removed files. It leaves out the files of systemd itself. For the host it returns nil: there, other services change
// files at the same time.
func (p *Place) FileStates() (map[string]FileState, error) {
	if p.box == nil {
		return nil, nil
	}
	states := map[string]FileState{}
	err := p.eachChanged(func(name string) { states[name] = p.FileState(name) })
	return states, err
}

// FileState returns what is at a path now.
func (p *Place) FileState(name string) FileState { return fileState(p.root, name, p.IDInside) }

// CopiedFileState returns what is at a path of the machine that the container is a copy of.
func (p *Place) CopiedFileState(name string) FileState {
	if p.box == nil || !overlay.Copied(name, "") {
		return FileState{}
	}
	return fileState(host.At(p.box.Image), name, func(id uint32) uint32 { return id })
}

// IsVolatile reports whether a path is in a directory that is empty after a boot.
func IsVolatile(name string) bool { return !overlay.Copied(name, "") }

func fileState(root host.Root, name string, id func(uint32) uint32) FileState {
	info, err := root.Lstat(name)
	if err != nil {
		return FileState{}
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return FileState{}
	}
	s := FileState{
		Exists: true, Mode: info.Mode(), User: id(owner.Uid), Group: id(owner.Gid), Size: info.Size(),
		Modified: info.ModTime(),
	}
	if info.IsDir() {
		s.Size, s.Modified = 0, time.Time{}
	}
	return s
}

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
