package profiles

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"temper/internal/host"
)

// trust is whom the files of a search path may belong to.
type trust struct {
	owners []uint32
	// strict refuses what the group may write as well. It holds on this machine; in a tree that a user unpacked, a
	// umask of 002 is common.
	strict bool
}

// trustOf accepts root, the user, and for another root than this machine whoever owns that directory.
func trustOf(root host.Root) trust {
	t := trust{owners: []uint32{0, uint32(os.Geteuid())}, strict: root.IsHost()}
	if root.IsHost() {
		return t
	}
	if info, err := os.Stat(root.Dir()); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			t.owners = append(t.owners, st.Uid)
		}
	}
	return t
}

// refuse says why a file or directory cannot be trusted, if it cannot.
func (t trust) refuse(path string, info fs.FileInfo) (Finding, bool) {
	f := Finding{ID: IDUntrusted, Path: path}
	others := fs.FileMode(0o002)
	if t.strict {
		others = 0o022
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case !ok:
		f.Message = "has no owner"
	case !slices.Contains(t.owners, st.Uid):
		f.Message, f.Fix = fmt.Sprintf("belongs to user %d", st.Uid), "chown root "+path
	case mode&others != 0:
		f.Message, f.Fix = fmt.Sprintf("others can write it (mode %04o)", mode), "chmod go-w "+path
	default:
		return Finding{}, false
	}
	return f, true
}
