package host

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"temper/internal/ready"
	"temper/internal/rootdir"
)

// MaxFile is the largest file in bytes that [Root.ReadFile] reads: far more than any unit file, profile or verdict
// needs, and small enough that no file can exhaust memory at boot.
const MaxFile = 4 << 20

// ReadFile returns the content of a regular file of at most [MaxFile] bytes. For a FIFO, a device or a larger file it
// returns an error at once and never waits.
func (r Root) ReadFile(name string) ([]byte, error) { return r.ReadAtMost(name, MaxFile) }

// ReadAtMost is [Root.ReadFile] with another limit, of at most [MaxFile] bytes.
func (r Root) ReadAtMost(name string, most int64) ([]byte, error) {
	name = clean(name)
	r.note(ready.File, name)
	fd, err := r.openRegular(name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	size, err := regular(fd, name)
	if err == nil && size > most {
		err = fmt.Errorf("%s: has %d bytes, want at most %d", name, size, most)
	}
	if err != nil {
		return nil, err
	}
	data, err := readAll(fd, name, int(size))
	return data[:min(len(data), int(most))], err
}

// ReadHead returns the first bytes of a regular file, at most n. A recording root records the size and time of the
// file.
func (r Root) ReadHead(name string, n int) ([]byte, error) {
	name = clean(name)
	r.note(ready.Stat, name)
	file, err := r.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	head := make([]byte, n)
	n, err = io.ReadFull(file, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:n], err
}

// ErrTooLong says that a file of the kernel is longer than anybody needs it.
var ErrTooLong = errors.New("is longer")

// ReadKernelFile returns the content of a file of proc(5). How long such a file is, processes choose, and its
// size does not say: of one with more than most bytes ReadKernelFile returns the first of them, and an error that wraps
// [ErrTooLong].
func ReadKernelFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadOpenKernelFile(f, most)
}

// ReadOpenKernelFile is [ReadKernelFile] for an open file.
func ReadOpenKernelFile(f *os.File, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if int64(len(data)) > most {
		data, err = data[:most], fmt.Errorf("%s: %w than %d bytes, want at most that", f.Name(), ErrTooLong, most)
	}
	return data, err
}

// openRegular opens a file for reading without waiting for anybody. In a tree that somebody else may have made, it
// opens only what it has seen to be a regular file: opening a device can have an effect, such as starting a watchdog.
func (r Root) openRegular(name string) (int, error) {
	d, err := rootdir.Open(r.dir)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer d.Close()
	const read = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	flags := read
	if !r.IsHost() {
		flags = unix.O_PATH
	}
	fd, err := d.Open(name, flags)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if r.IsHost() {
		return fd, nil
	}
	defer unix.Close(fd)
	if _, err := regular(fd, name); err != nil {
		return -1, err
	}
	again, err := unix.Open(descriptor(fd), read, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return again, nil
}

// descriptor is a name for the file that a descriptor of this process refers to.
func descriptor(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// regular returns the size of an open regular file, and an error for anything else.
func regular(fd int, name string) (size int64, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	if kind := st.Mode & unix.S_IFMT; kind != unix.S_IFREG {
		return 0, fmt.Errorf("%s: is a %s, want a regular file", name, kindOf(kind))
	}
	return st.Size, nil
}

func kindOf(format uint32) string {
	names := map[uint32]string{unix.S_IFDIR: "directory", unix.S_IFIFO: "FIFO", unix.S_IFSOCK: "socket"}
	if name, ok := names[format]; ok {
		return name
	}
	return "device"
}

// readAll reads to the end of a file, or at most [MaxFile] bytes if the file grows meanwhile. Files in /proc have size
// 0. It does not use package os, whose poller would double the system calls, of which a boot makes hundreds.
func readAll(fd int, name string, size int) ([]byte, error) {
	data := make([]byte, 0, size+1)
	for len(data) < MaxFile {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: name, Err: err}
		case n == 0:
			return data, nil
		}
		data = data[:len(data)+n]
		if size > 0 && len(data) == size { // the whole file was read, and there was room for more
			return data, nil
		}
		if len(data) == cap(data) {
			data = slices.Grow(data, len(data)+512)
		}
	}
	return data[:MaxFile], nil
}
