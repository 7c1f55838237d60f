package host

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Open opens a regular file for reading. For anything else it returns an error at once and never waits.
func (r Root) Open(name string) (*os.File, error) {
	name = clean(name)
	fd, err := r.openRegular(name)
	if err != nil {
		return nil, err
	}
	if _, err := regular(fd, name); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// Socket opens a socket inside the root. To connect to it, pass the name that [Descriptor] returns to connect(2): no
// link can change what that name means.
func (r Root) Socket(name string) (*os.File, error) {
	name = clean(name)
	file, err := r.open("connect", name, unix.O_PATH)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Mode()&fs.ModeSocket == 0 {
		err = &fs.PathError{Op: "connect", Path: name, Err: unix.ENOTSOCK}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// Descriptor returns a name in /proc/self/fd for an open file, which stays valid even if the file's own name means
// another file by now.
func Descriptor(file *os.File) string {
	number := -1
	if raw, err := file.SyscallConn(); err == nil { // Fd would make the file blocking
		_ = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	return descriptor(number)
}

// Born returns when the file at name was made; it does not follow a link. If the file system does not record that, Born
// returns when the file last changed.
func (r Root) Born(name string) (time.Time, error) {
	name = clean(name)
	dir, base, err := r.parent("stat", name)
	if err != nil {
		return time.Time{}, err
	}
	defer unix.Close(dir)
	var st unix.Statx_t
	if err := unix.Statx(dir, base, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME|unix.STATX_CTIME, &st); err != nil {
		return time.Time{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	born := st.Btime
	if st.Mask&unix.STATX_BTIME == 0 {
		born = st.Ctime
	}
	return time.Unix(born.Sec, int64(born.Nsec)), nil
}

// MakePipe makes a named pipe and opens it for reading, without waiting for a writer.
func (r Root) MakePipe(name string, mode fs.FileMode) (*os.File, error) {
	name = clean(name)
	dir, base, err := r.parent("mkfifo", name)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dir)
	if err := unix.Mkfifoat(dir, base, uint32(mode.Perm())); err != nil {
		return nil, &fs.PathError{Op: "mkfifo", Path: name, Err: err}
	}
	fd, err := unix.Openat(dir, base, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	pipe := os.NewFile(uintptr(fd), name)
	if info, err := pipe.Stat(); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		return nil, errors.Join(
			&fs.PathError{Op: "open", Path: name, Err: errors.New("is no pipe any more")},
			err,
			pipe.Close(),
		)
	}
	return pipe, nil
}
