package filechanges

import (
	"io/fs"
	"path"
	"strconv"
	"strings"

	"temper/harness/place"
	"temper/harness/proc"
)

// An audience tells who else than its owner can reach a file.
type audience struct {
	place       Files
	directories map[string]place.FileState
	members     map[uint32]map[uint32]bool // the users of each group
}

func newAudience(where Files) *audience {
	a := &audience{where, map[string]place.FileState{}, map[uint32]map[uint32]bool{}}
	ids := map[string]uint32{}
	for _, f := range a.lines("/etc/passwd", 4) { // passwd(5)
		user, group := id(f[2]), id(f[3])
		ids[f[0]] = user
		a.add(group, user)
	}
	for _, f := range a.lines("/etc/group", 4) { // group(5)
		for name := range strings.SplitSeq(f[3], ",") {
			if user, known := ids[name]; known {
				a.add(id(f[2]), user)
			}
		}
	}
	return a
}

// lines returns the fields of the lines of a file that have at least n fields.
func (a *audience) lines(name string, n int) [][]string {
	var lines [][]string
	data, _ := a.place.Root().ReadFile(name) // without the file, there are no groups
	for line := range strings.Lines(string(data)) {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) >= n {
			lines = append(lines, f)
		}
	}
	return lines
}

func (a *audience) add(group, user uint32) {
	if a.members[group] == nil {
		a.members[group] = map[uint32]bool{}
	}
	a.members[group][user] = true
}

// canUse returns the permissions of a file by which somebody else than its owner and root can reach it.
func (a *audience) canUse(name string, state place.FileState) fs.FileMode {
	const search, group, others = 0o011, 0o070, 0o007
	byGroup, byOthers := a.hasOthers(state), true
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		above := a.directory(dir)
		open := above.Mode.Perm() & search
		byOthers = byOthers && open&others != 0
		byGroup = byGroup && (open&others != 0 || above.Group == state.Group && open&group != 0)
	}
	var used fs.FileMode
	if byGroup {
		used |= state.Mode.Perm() & group
	}
	if byOthers {
		used |= state.Mode.Perm() & others
	}
	return used
}

// hasOthers reports whether the group of a file has users other than the owner of the file and root.
func (a *audience) hasOthers(state place.FileState) bool {
	for user := range a.members[state.Group] {
		if user != state.User && user != 0 {
			return true
		}
	}
	return false
}

// isShared reports whether a path is below a directory in which everybody may make files, such as /tmp.
func (a *audience) isShared(name string) bool {
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		if m := a.directory(dir).Mode; m&fs.ModeSticky != 0 && m&0o002 != 0 {
			return true
		}
	}
	return false
}

func (a *audience) directory(name string) place.FileState {
	if _, known := a.directories[name]; !known {
		a.directories[name] = a.place.FileState(name)
	}
	return a.directories[name]
}

// OtherUsers are the users but root, as a place numbers them, as whom its processes run now, without those of own, by
// their ids on this machine, as whom a service was seen to run. If it was not seen, there are none: each could be its
// own.
func OtherUsers(where *place.Place, own map[uint32]bool) map[uint32]bool {
	others := map[uint32]bool{}
	if len(own) == 0 {
		return others
	}
	for _, pid := range proc.InCgroup(where.Cgroup()) {
		if user, ok := proc.Machine.Process(pid).User(); ok && !own[user] && where.IDInside(user) != 0 {
			others[where.IDInside(user)] = true
		}
	}
	return others
}

func id(field string) uint32 {
	n, err := strconv.ParseUint(field, 10, 32)
	if err != nil {
		return 0 // systemd and libc take no such line either
	}
	return uint32(n)
}
