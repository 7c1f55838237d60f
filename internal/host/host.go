// Package host tells what a machine has, from its files alone: no process is started and no socket opened, so that the
// generator can use it while PID 1 waits.
//
// Start with a [Root]: the machine itself, or a tree such as an image that is read as if it were one.
package host

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	securejoin "github.com/cyphar/filepath-securejoin"
	"golang.org/x/sys/unix"
)

// MaxFile is the size in bytes beyond which [Root.ReadFile] refuses a file: far more than any unit file, profile or
// verdict needs, and small enough that no file can exhaust memory at boot.
const MaxFile = 4 << 20

// Root is a file tree that is read as a machine. "" and "/" are this machine; any other value is a directory, inside
// which every symbolic link, absolute ones included, is resolved.
type Root string

// IsHost reports whether r is this machine itself.
func (r Root) IsHost() bool { return r == "" || r == "/" }

// Path returns where name, a path inside the root, really is. Links are resolved inside the root; for this machine the
// name is returned as it is and the kernel resolves them.
func (r Root) Path(name string) (string, error) {
	if r.IsHost() {
		return filepath.Clean("/" + name), nil
	}
	return securejoin.SecureJoin(string(r), name)
}

// beside returns the path of name itself, which may be a link: only its directory is resolved.
func (r Root) beside(name string) (string, error) {
	dir, err := r.Path(filepath.Dir(name))
	return filepath.Join(dir, filepath.Base(name)), err
}

// ReadFile returns the content of a regular file of at most [MaxFile] bytes. A FIFO, a device or a larger file is an
// error at once, never a wait.
func (r Root) ReadFile(name string) ([]byte, error) {
	if r.IsHost() {
		return readHere(filepath.Clean("/" + name))
	}
	fd, err := r.open(name)
	if err != nil {
		return nil, inRoot(err, name)
	}
	defer unix.Close(fd)
	data, err := readRegular(fd, name)
	return data, inRoot(err, name)
}

// ReadDir lists a directory inside the root, sorted by name.
func (r Root) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := r.Path(name)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	return entries, inRoot(err, name)
}

// Stat is os.Stat of name inside the root.
func (r Root) Stat(name string) (fs.FileInfo, error) {
	path, err := r.Path(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	return info, inRoot(err, name)
}

// Lstat is os.Lstat of name inside the root: a link is not followed.
func (r Root) Lstat(name string) (fs.FileInfo, error) {
	path, err := r.beside(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	return info, inRoot(err, name)
}

// Readlink returns the text of the link name inside the root.
func (r Root) Readlink(name string) (string, error) {
	path, err := r.beside(name)
	if err != nil {
		return "", err
	}
	target, err := os.Readlink(path)
	return target, inRoot(err, name)
}

// inRoot names the file in a *fs.PathError as it is called inside the root.
func inRoot(err error, name string) error {
	if pe, ok := err.(*fs.PathError); ok {
		return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}

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
