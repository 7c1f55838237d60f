package ready

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"temper/internal/rootdir"
)

// An Input is something of the machine that was read to decide, and in which way.
type Input struct {
	Kind Kind
	Path string // inside the root; "" for Kernel
}

// Kind says what of a path counts.
type Kind byte

// The kinds of inputs. What is not there is an input, too.
const (
	File   Kind = 'f' // whether it is a link; what Stat says; the content
	Names  Kind = 'n' // which names a directory has, and of what type each is
	Stat   Kind = 's' // type, mode and owner behind links; of a regular file also size and time of modification
	Lstat  Kind = 't' // the same of the name itself
	Link   Kind = 'l' // where a link leads, or that it is no link
	Kernel Kind = 'k' // the release of the running kernel
)

// Compare orders inputs.
func (i Input) Compare(j Input) int {
	return cmp.Or(cmp.Compare(i.Kind, j.Kind), cmp.Compare(i.Path, j.Path))
}

// reader reads the state of inputs in one root: bytes that are others whenever the input is another.
type reader struct {
	root  rootdir.Dir
	buf   []byte
	times map[uint64]timekeeping // of a file system, by its device
}

func newReader(root string) (*reader, error) {
	dir, err := rootdir.Open(root)
	return &reader{root: dir, times: map[uint64]timekeeping{}}, err
}

func (r *reader) close() { r.root.Close() }

// What an input shows where there is nothing, and a [Link] that is none.
var (
	missing     = errorState(nil, unix.ENOENT)
	noDirectory = errorState(nil, unix.ENOTDIR)
	noLink      = errorState(nil, unix.EINVAL)
)

func errorState(to []byte, err unix.Errno) []byte {
	return strconv.AppendInt(append(to, '!'), int64(err), 10)
}

// certain reports whether a state tells what is there. Any other error, such as a refused permission, may hide a
// change.
func certain(i Input, state []byte) bool {
	return !bytes.HasPrefix(state, []byte("!")) || bytes.Equal(state, missing) || bytes.Equal(state, noDirectory) ||
		i.Kind == Link && bytes.Equal(state, noLink)
}

// state appends the state of an input.
func (r *reader) state(i Input, to []byte) []byte {
	var err error
	before := len(to)
	switch i.Kind {
	case File:
		to, err = r.file(i.Path, to)
	case Names:
		to, err = r.names(i.Path, to)
	case Stat:
		to, err = r.stat(i.Path, 0, to)
	case Lstat:
		to, err = r.stat(i.Path, unix.AT_SYMLINK_NOFOLLOW, to)
	case Link:
		to, err = r.target(i.Path, to)
	case Kernel:
		var u unix.Utsname
		err = unix.Uname(&u)
		to = append(to, u.Release[:max(bytes.IndexByte(u.Release[:], 0), 0)]...)
	default:
		err = unix.ENOTSUP
	}
	if errno, ok := err.(unix.Errno); ok {
		return errorState(to[:before], errno)
	}
	return to
}

// file is the stamp of a file or else its content, behind the owner of the link if it is one.
func (r *reader) file(name string, to []byte) ([]byte, error) {
	var st unix.Stat_t
	err := r.root.Stat(name, &st, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		to = owner(&st, to)
		err = r.root.Stat(name, &st, 0)
	}
	if err != nil {
		return to, err
	}
	if r.timekeeping(name, st.Dev) >= keepsFiles && st.Ctim.Nsec != 0 {
		return stamp(&st, to), nil
	}
	return r.content(name, to)
}

// names is the stamp of a directory or else its entries.
func (r *reader) names(dir string, to []byte) ([]byte, error) {
	var st unix.Stat_t
	if err := r.root.Stat(dir, &st, 0); err != nil {
		return to, err
	}
	if r.timekeeping(dir, st.Dev) >= keepsDirectories && st.Ctim.Nsec != 0 {
		return stamp(&st, to), nil
	}
	entries, st, err := r.list(dir)
	if err != nil {
		return to, err
	}
	to = owner(&st, to)
	slices.Sort(entries)
	for _, e := range entries {
		to = append(append(to, e...), 0)
	}
	return to, nil
}

// stamp is another after every change to a file or to the names in a directory: the time of the last change, which
// nobody can set, with the inode. A time in whole seconds is none from a clock: who makes a file system image gives
// every version of it the same.
func stamp(st *unix.Stat_t, to []byte) []byte {
	return numbers(owner(st, to), int64(st.Ino), st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec)
}

func (r *reader) stat(name string, flags int, to []byte) ([]byte, error) {
	var st unix.Stat_t
	if err := r.root.Stat(name, &st, flags); err != nil {
		return to, err
	}
	return status(&st, to), nil
}

// status is what a Stat or an Lstat says.
func status(st *unix.Stat_t, to []byte) []byte {
	to = owner(st, to)
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return to
	}
	return numbers(to, st.Size, st.Mtim.Sec, st.Mtim.Nsec)
}

func (r *reader) target(name string, to []byte) ([]byte, error) {
	r.buf = slices.Grow(r.buf[:0], unix.PathMax)
	n, err := r.root.Readlink(name, r.buf[:unix.PathMax])
	return append(to, r.buf[:n]...), err
}

// content is the hash of a file, behind what a Stat says of it.
func (r *reader) content(name string, to []byte) ([]byte, error) {
	fd, err := r.root.Open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return to, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return to, err
	}
	to = status(&st, to)
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxFile {
		return to, nil // nobody reads it
	}
	data, err := r.read(fd, int(st.Size))
	hash := fnv.New128a() // chance is to be noticed, not malice: only root writes here
	_, _ = hash.Write(data)
	return hash.Sum(to), err
}

// read reads to the end, into the one buffer of the reader.
func (r *reader) read(fd, size int) ([]byte, error) {
	r.buf = slices.Grow(r.buf[:0], max(size+1, 1<<10))
	data := r.buf
	for {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || len(data)+n > maxFile {
			return data, err
		}
		if data = data[:len(data)+n]; len(data) == size {
			return data, nil
		}
		data = slices.Grow(data, 1)
		r.buf = data
	}
}

// list returns the names in a directory, each followed by "/" and a letter for its type.
func (r *reader) list(dir string) (entries []string, st unix.Stat_t, err error) {
	fd, err := r.root.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, st, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, st, err
	}
	buf := slices.Grow(r.buf[:0], 8<<10)
	buf = buf[:cap(buf)]
	r.buf = buf[:0]
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return entries, st, err
		}
		for data := buf[:n]; len(data) >= direntName; {
			size := int(data[16]) | int(data[17])<<8
			name := data[direntName:size]
			if end := bytes.IndexByte(name, 0); end >= 0 {
				name = name[:end]
			}
			if string(name) != "." && string(name) != ".." {
				if data[18] == unix.DT_UNKNOWN {
					return nil, st, unix.EOPNOTSUPP
				}
				entries = append(entries, string(name)+"/"+letter(data[18]))
			}
			data = data[size:]
		}
	}
}

// letter stands for a type of directory entries, one of DT_REG and the like.
func letter(kind byte) string { return string(rune('a' + kind)) }

// direntName is where the name begins in what getdents64(2) returns: behind inode, offset, length and type.
const direntName = 19

func owner(st *unix.Stat_t, to []byte) []byte {
	return numbers(to, int64(st.Mode), int64(st.Uid))
}

func numbers(to []byte, all ...int64) []byte {
	for _, n := range all {
		to = append(strconv.AppendInt(to, n, 36), ' ')
	}
	return to
}
