package host

import (
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// readHere is [Root.ReadFile] for this machine. At boot the generator reads hundreds of files while everything else waits: it
// does so without the runtime's poller, with half of the system calls.
func readHere(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	return readRegular(fd, path)
}

// readRegular reads a regular file that is open.
func readRegular(fd int, path string) ([]byte, error) {
	var info unix.Stat_t
	if err := unix.Fstat(fd, &info); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch kind := info.Mode & unix.S_IFMT; {
	case kind != unix.S_IFREG:
		return nil, fmt.Errorf("%s: is a %s, want a regular file", path, kindOf(kind))
	case info.Size > MaxFile:
		return nil, fmt.Errorf("%s: has %d bytes, want at most %d", path, info.Size, MaxFile)
	}
	return readAll(fd, path, int(info.Size))
}

func kindOf(format uint32) string {
	names := map[uint32]string{unix.S_IFDIR: "directory", unix.S_IFIFO: "FIFO", unix.S_IFSOCK: "socket"}
	if name, ok := names[format]; ok {
		return name
	}
	return "device"
}

// readAll reads to the end, or to [MaxFile] of a file that grows meanwhile. Files of /proc say that they have no size.
func readAll(fd int, path string, size int) ([]byte, error) {
	data := make([]byte, 0, size+1)
	for len(data) < MaxFile {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return data, nil
		}
		data = data[:len(data)+n]
		if size > 0 && len(data) == size { // all of it, though room for more was offered
			return data, nil
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data)+512)
		}
	}
	return data[:MaxFile], nil
}
