package ready

import (
	"bytes"
	"cmp"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Look is a place at which deciding looked, and how.
type Look struct {
	Kind Kind
	Path string // inside the root; of a Names, "DIRECTORY/*PART*"
}

// Kind says what of a place counts.
type Kind byte

// The kinds of looks. All but Kernel also count the type, the mode and the owner.
//
// File and Names look at the stamp alone, where there is one: see [stamp].
const (
	File   Kind = 'f' // the content
	Names  Kind = 'n' // which names with a part in common a directory has, and of what type each is
	Stat   Kind = 's' // size and time, behind links
	Seen   Kind = 'e' // like Stat, but what cannot be seen counts as unchanged: its file system may not be mounted yet
	Link   Kind = 'l' // where a link leads; whether there is anything
	Kernel Kind = 'k' // the release of the running kernel
)

// Compare orders looks.
func (l Look) Compare(m Look) int {
	return cmp.Or(cmp.Compare(l.Kind, m.Kind), cmp.Compare(l.Path, m.Path))
}

// InDir is a Look at the names in a directory that hold a part, such as ".toml".
func InDir(dir, part string) Look {
	return Look{Names, dir + "/*" + part + "*"}
}

// pattern returns the directory and the part of a Names.
func (l Look) pattern() (dir, part string) {
	dir, part, _ = strings.Cut(strings.TrimSuffix(l.Path, "*"), "/*")
	return dir, part
}

// What a look shows where there is nothing.
var (
	missing     = []byte("!" + strconv.Itoa(int(unix.ENOENT)))
	noDirectory = []byte("!" + strconv.Itoa(int(unix.ENOTDIR)))
)

// tree is a root that is looked at.
type tree struct {
	fd   int // of the root; unused for this machine
	here bool
	buf  []byte
}

// openTree opens a root: "" and "/" are this machine.
func openTree(root string) (*tree, error) {
	t := &tree{fd: -1, here: root == "" || root == "/"}
	if t.here {
		return t, nil
	}
	var err error
	t.fd, err = unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return t, err
}

func (t *tree) close() {
	if t.fd >= 0 {
		_ = unix.Close(t.fd)
	}
}

// open opens a file; links lead inside the root.
func (t *tree) open(name string, flags int) (int, error) {
	if flags |= unix.O_CLOEXEC; flags&unix.O_PATH == 0 { // openat2(2) refuses what has no meaning
		flags |= unix.O_NOCTTY
	}
	for {
		var fd int
		var err error
		if t.here {
			fd, err = unix.Open(name, flags, 0)
		} else {
			fd, err = unix.Openat2(t.fd, name, &unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS})
		}
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// stat looks at a name; flags is 0 or AT_SYMLINK_NOFOLLOW.
func (t *tree) stat(name string, st *unix.Stat_t, flags int) error {
	if t.here {
		return unix.Fstatat(unix.AT_FDCWD, name, st, flags)
	}
	how := unix.O_PATH
	if flags != 0 {
		how |= unix.O_NOFOLLOW
	}
	fd, err := t.open(name, how)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Fstat(fd, st)
}

// see appends what there is to see. What cannot be seen is told apart by its error.
func (t *tree) see(l Look, to []byte) []byte {
	var err error
	before := len(to)
	switch l.Kind {
	case File:
		to, err = t.stamped(l.Path, to, func(to []byte) ([]byte, error) { return t.file(l.Path, to) })
	case Names:
		dir, part := l.pattern()
		to, err = t.stamped(dir, to, func(to []byte) ([]byte, error) { return t.names(dir, part, to) })
	case Kernel:
		var u unix.Utsname
		err = unix.Uname(&u)
		to = append(to, u.Release[:max(bytes.IndexByte(u.Release[:], 0), 0)]...)
	default:
		to, err = t.state(l, to)
	}
	if errno, ok := err.(unix.Errno); ok {
		return strconv.AppendInt(append(to[:before], '!'), int64(errno), 10)
	}
	return to
}

// stamped is the stamp of what is at a name, behind links, or else what look sees there.
func (t *tree) stamped(name string, to []byte, look func([]byte) ([]byte, error)) ([]byte, error) {
	var st unix.Stat_t
	if err := t.stat(name, &st, 0); err != nil {
		return to, err
	}
	if s, ok := stamp(&st, to); ok {
		return s, nil
	}
	return look(to)
}

// stamp appends what is another after every change to a file or to the names in a directory: the time of the last change, which
// nobody can set, with the inode. ok is false where that time does not come from a clock but from who made a file system image,
// who gives every version the same: those are whole seconds. It is also false for what is neither a file nor a directory.
func stamp(st *unix.Stat_t, to []byte) (s []byte, ok bool) {
	kind := st.Mode & unix.S_IFMT
	if st.Ctim.Nsec == 0 || kind != unix.S_IFREG && kind != unix.S_IFDIR {
		return to, false
	}
	return numbers(owner(st, to), int64(st.Ino), st.Size, st.Mtim.Sec, st.Mtim.Nsec, st.Ctim.Sec, st.Ctim.Nsec), true
}

// state is what a Stat, Seen or Link sees.
func (t *tree) state(l Look, to []byte) ([]byte, error) {
	flags := unix.AT_SYMLINK_NOFOLLOW
	if l.Kind == Stat || l.Kind == Seen {
		flags = 0
	}
	var st unix.Stat_t
	if err := t.stat(l.Path, &st, flags); err != nil {
		return to, err
	}
	to = owner(&st, to)
	switch kind := st.Mode & unix.S_IFMT; {
	case l.Kind == Link && kind == unix.S_IFLNK:
		return t.target(l.Path, to)
	case l.Kind == Link || kind != unix.S_IFREG:
		return to, nil
	}
	return numbers(to, st.Size, st.Mtim.Sec, st.Mtim.Nsec), nil
}

func (t *tree) target(name string, to []byte) ([]byte, error) {
	t.buf = slices.Grow(t.buf[:0], unix.PathMax)
	buf := t.buf[:unix.PathMax] // on the stack it would have that grow twice
	at, rest := unix.AT_FDCWD, name
	if !t.here {
		fd, err := t.open(name, unix.O_PATH|unix.O_NOFOLLOW)
		if err != nil {
			return to, err
		}
		defer unix.Close(fd)
		at, rest = fd, ""
	}
	n, err := unix.Readlinkat(at, rest, buf)
	return append(to, buf[:max(n, 0)]...), err
}

// file is what a File sees: of the content, the hash.
func (t *tree) file(name string, to []byte) ([]byte, error) {
	fd, err := t.open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return to, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return to, err
	}
	to = owner(&st, to)
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return to, nil
	}
	if st.Size > maxFile {
		return numbers(to, st.Size), nil // nobody reads it
	}
	data, err := t.read(fd, int(st.Size))
	hash := fnv.New128a() // chance is to be noticed, not malice: only root writes here
	_, _ = hash.Write(data)
	return hash.Sum(to), err
}

// read reads to the end, into the one buffer of the tree.
func (t *tree) read(fd, size int) ([]byte, error) {
	t.buf = slices.Grow(t.buf[:0], max(size+1, 1<<10))
	data := t.buf
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
		t.buf = data
	}
}

// names is what a Names sees.
func (t *tree) names(dir, part string, to []byte) ([]byte, error) {
	found, st, err := t.list(dir, part)
	if err != nil {
		return to, err
	}
	to = owner(&st, to)
	slices.Sort(found)
	for _, name := range found {
		to = append(append(to, name...), 0)
	}
	return to, nil
}

// list returns the names in a directory that hold a part, each followed by "/" and its type.
func (t *tree) list(dir, part string) (found []string, st unix.Stat_t, err error) {
	fd, err := t.open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, st, err
	}
	defer unix.Close(fd)
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, st, err
	}
	buf := slices.Grow(t.buf[:0], 8<<10)
	buf = buf[:cap(buf)]
	t.buf = buf[:0]
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 || err != nil {
			return found, st, err
		}
		for data := buf[:n]; len(data) >= direntName; {
			size := int(data[16]) | int(data[17])<<8
			name := data[direntName:size]
			if end := bytes.IndexByte(name, 0); end >= 0 {
				name = name[:end]
			}
			if bytes.Contains(name, []byte(part)) && string(name) != "." && string(name) != ".." {
				if data[18] == unix.DT_UNKNOWN {
					return nil, st, unix.EOPNOTSUPP
				}
				found = append(found, string(name)+"/"+string(rune('a'+data[18])))
			}
			data = data[size:]
		}
	}
}

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
