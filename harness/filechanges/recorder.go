// Package filechanges finds out what a launch of a service has made, changed and removed.
//
// Call [NewRecorder] before the launch, and [Recorder.Changes] as often as wanted. Contents are hashed, never kept.
//
// Limits: on the host nothing is found, since other services change files there at the same time. At most 5000 files
// are described, and at most 64 MiB of contents are read for one launch.
package filechanges

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"temper/harness/observe"
	"temper/harness/place"
	"temper/internal/host"
)

// Files are those of a place; see [place.Place].
type Files interface {
	Root() host.Root
	FileStates() (map[string]place.FileState, error)
	FileState(name string) place.FileState
	CopiedFileState(name string) place.FileState
}

// A Recorder finds out what a launch has made, changed and removed.
type Recorder struct {
	place  Files
	before map[string]place.FileState // what was there before the launch; nil on the host, which is not compared
	hashes map[hashedFile]string      // of the files that were read
	left   int64                      // how many bytes may still be read
}

// A hashedFile is a file whose content was read when it was in a state.
type hashedFile struct {
	name  string
	state place.FileState
}

const (
	// maxContent and maxContents bound how much is read of a file, and of all files of a launch.
	maxContent  = 4 << 20
	maxContents = 64 << 20
	// maxFiles bounds how many files are compared.
	maxFiles = 5000
)

// NewRecorder returns what finds out the changes from now on. Where the files of the place cannot be listed, since a
// service has made too many, it finds none.
func NewRecorder(where Files) *Recorder {
	before, _ := where.FileStates()
	return &Recorder{place: where, before: before, hashes: map[hashedFile]string{}, left: maxContents}
}

// Changes returns what the launch has made, changed and removed so far, and the files at the paths that other launches
// have changed; nil if that cannot be found out. It leaves out the files of users as whom only other services run,
// unless another launch has changed them.
func (r *Recorder) Changes(others []string, theirs map[uint32]bool) observe.Files {
	now, err := r.place.FileStates()
	if r.before == nil || err != nil {
		return nil
	}
	for _, name := range slices.AppendSeq(slices.Clone(others), maps.Keys(r.before)) {
		if _, listed := now[name]; !listed {
			now[name] = r.place.FileState(name) // it is gone, or a link leads there now
		}
	}
	files, who := observe.Files{}, newAudience(r.place)
	for _, name := range slices.Sorted(maps.Keys(now)) {
		was, known := r.before[name]
		if !known {
			was = r.place.CopiedFileState(name)
		}
		state := now[name]
		kept := state == was
		asked := state.Exists && slices.Contains(others, name)
		if !asked && (kept || state.Exists && theirs[state.User]) || len(files) == maxFiles {
			continue
		}
		files[name] = r.file(name, state, who)
		f := files[name]
		f.Existed, f.Kept = was.Exists, kept
		files[name] = f
	}
	return files
}

// file describes a file.
func (r *Recorder) file(name string, state place.FileState, who *audience) observe.File {
	f := observe.File{Shared: who.isShared(name), Lasting: !place.IsVolatile(name)}
	if !state.Exists {
		return f
	}
	f.Kind = kindOf(state.Mode)
	f.Mode = state.Mode & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
	f.Size, f.Used = state.Size, who.canUse(name, state)
	if !isDynamic(state.User) && !isDynamic(state.Group) {
		f.Owner = fmt.Sprintf("user %d and group %d", state.User, state.Group)
	}
	if f.Kind == "link" {
		if to, err := r.place.Root().Stat(name); err == nil {
			f.Leads = kindOf(to.Mode())
		}
	}
	if state.Mode.IsRegular() && state.Size <= maxContent && !host.Below("/var/log", name) {
		f.Content = r.hash(name, state)
	}
	return f
}

// hash is the hash of a content; empty if it cannot be read, or if too much was read already.
func (r *Recorder) hash(name string, state place.FileState) string {
	key := hashedFile{name, state}
	if known, ok := r.hashes[key]; ok {
		return known
	}
	if r.left -= state.Size; r.left < 0 {
		return ""
	}
	content, err := r.place.Root().ReadAtMost(name, maxContent)
	if err != nil {
		return "" // removed or replaced meanwhile
	}
	r.hashes[key] = observe.ContentHash(content)
	return r.hashes[key]
}

// isDynamic reports whether systemd may have chosen a user or group for DynamicUser=; "Special systemd UID ranges" of
// https://systemd.io/UIDS-GIDS.
func isDynamic(id uint32) bool { return id >= 61184 && id <= 65519 }

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeNamedPipe != 0:
		return "pipe"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return "file"
}
