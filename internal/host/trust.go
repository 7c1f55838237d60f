package host

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// ReadTrusted is [Root.ReadAtMost] for files that decide what a boot does. The file and its directory must belong to
// root, to the user who runs temper or to the owner of the root directory. Others must not be able to write them, and
// on this machine neither must their group. The file must not be a link.
func (r Root) ReadTrusted(name string, most int64) ([]byte, error) {
	for _, n := range []string{path.Dir(name), name} {
		info, err := r.Lstat(n)
		if err == nil && n != name && info.Mode()&fs.ModeSymlink != 0 {
			info, err = r.Stat(n)
		}
		if err != nil {
			return nil, err
		}
		if err := r.Trusts(n, info); err != nil {
			return nil, err
		}
	}
	return r.ReadAtMost(name, most)
}

// Trusts returns an error if the owner, the mode or the type of a file or directory is wrong. The error is an
// [Untrusted].
func (r Root) Trusts(name string, info fs.FileInfo) error {
	others := fs.FileMode(0o022)
	if !r.IsHost() { // in a tree that a user unpacked, a umask of 002 is common
		others = 0o002
	}
	mode := info.Mode()
	if mode&fs.ModeSymlink != 0 {
		return Untrusted{name, "is a link", "want the file itself", ""}
	}
	if err := r.trustsOwner(name, info); err != nil {
		return err
	}
	if mode.Perm()&others != 0 {
		why := fmt.Sprintf("others can write it (mode %04o)", mode.Perm())
		return Untrusted{name, why, "want mode go-w", "chmod go-w " + name}
	}
	return nil
}

// trustsOwner is [Root.Trusts] for the owner alone.
func (r Root) trustsOwner(name string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Untrusted{name, "has no owner", "want root", ""}
	}
	if !slices.Contains(r.owners(), st.Uid) {
		return Untrusted{name, fmt.Sprintf("belongs to user %d", st.Uid), "want root", "chown root " + name}
	}
	return nil
}

// Untrusted says why a file or directory must not decide anything.
type Untrusted struct {
	Path, Why, Want string
	Fix             string // what to type; "" if nothing helps
}

func (u Untrusted) Error() string { return u.Path + ": " + u.Why + ", " + u.Want }

// owners are the users whose files are trusted.
func (r Root) owners() []uint32 {
	owners := []uint32{0, uint32(unix.Geteuid())}
	if r.IsHost() {
		return owners
	}
	if info, err := os.Stat(r.dir); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			owners = append(owners, st.Uid)
		}
	}
	return owners
}
