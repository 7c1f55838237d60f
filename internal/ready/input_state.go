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

// An Input is something that a decision read from the machine, and how it was read.
type Input struct {
	Kind Kind
	Path string // inside the root; "" for Kernel
}

// Kind says which part of what is at a path was read.
type Kind byte

// The kinds of inputs. A file that does not exist is an input too.
const (
	File   Kind = 'f' // whether it is a link; what Stat says; the content
	Names  Kind = 'n' // the names in a directory, and the type of each
	Stat   Kind = 's' // type, mode and owner, following links; of a regular file also size and modification time
	Lstat  Kind = 't' // the same, but of the name itself
	Link   Kind = 'l' // the target of a link, or that it is not a link
	Kernel Kind = 'k' // the release of the running kernel
)

// Compare orders inputs.
func (i Input) Compare(j Input) int {
	return cmp.Or(cmp.Compare(i.Kind, j.Kind), cmp.Compare(i.Path, j.Path))
}

// reader reads the states of inputs in one root. A state is a string of bytes that differs whenever the input differs.
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

// The states of an input that does not exist, and of a [Link] that is not a link.
var (
	missing     = errorState(nil, unix.ENOENT)
	noDirectory = errorState(nil, unix.ENOTDIR)
	noLink      = errorState(nil, unix.EINVAL)
)

func errorState(to []byte, err unix.Errno) []byte {
	return strconv.AppendInt(append(to, '!'), int64(err), 10)
}

// certain reports whether a state is known. Any error except those above, such as a refused permission, could hide a
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

// file appends the stamp of a file, or its content if times are not reliable. If the file is a link, the owner of the
// link comes first.
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

// names appends the stamp of a directory, or its entries if times are not reliable.
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

// stamp appends what differs after every change to a file or to the names in a directory: the inode, and the time of
// the last change, which nobody can set. A time in whole seconds does not come from a clock: programs that make file
// system images give every version of an image the same time.
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

// status appends what a Stat or an Lstat reads.
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

// content appends the status of a file and the hash of its content.
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
		return to, nil // its content is not read
	}
	data, err := r.read(fd, int(st.Size))
	hash := fnv.New128a() // the hash has to detect accidental changes only, since only root writes here
	_, _ = hash.Write(data)
	return hash.Sum(to), err
}

// read reads to the end of a file into the buffer of the reader.
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

// letter returns the letter for a type of directory entries such as DT_REG.
func letter(kind byte) string { return string(rune('a' + kind)) }

// direntName is the offset of the name in an entry of getdents64(2), after inode, offset, length and type.
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
