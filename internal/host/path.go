package host

import (
	"io/fs"
	"path"
	"strings"
)

// Below reports whether a path is a directory, or lies below it.
func Below(dir, name string) bool {
	return dir == "/" || name == dir || strings.HasPrefix(name, dir+"/")
}

// Kind names a kind of file in words.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeNamedPipe != 0:
		return "FIFO"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "device"
	}
	return strings.ToLower(mode.Type().String())
}

// Path returns the name that a file of the root has in this machine: for this machine the name itself, elsewhere
// without links. By the time that it is used it may lead elsewhere: it is only for a tree that nobody else changes.
func (r Root) Path(name string) (string, error) {
	if r.IsHost() {
		return path.Clean("/" + name), nil
	}
	real, err := r.Real(name)
	return r.dir + real, err
}
