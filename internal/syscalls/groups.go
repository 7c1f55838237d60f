// Package syscalls has the system calls and their groups, as each systemd version with its libseccomp knows them on
// each architecture, and parses SystemCallFilter=.
//
// Start with [Of] for the calls, or [ParseFilter] for what a service may call.
package syscalls

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
)

//go:generate go run ./gen gen zz_syscalls.go

// syscallRow is one system call. known has a bit for each of seccompVersions that knows the name. native has a bit for
// each pair of one of seccompVersions and one of seccompArches that has the call.
type syscallRow struct {
	name   string
	known  uint8
	native uint32
}

type syscallGroup struct {
	name    string
	members []syscallMember
}

// syscallMember is a call or a group within a group. in has a bit for each of syscallVersions.
type syscallMember struct {
	name string
	in   uint8
}

// Set is the system calls and groups as one systemd with one libseccomp on one architecture knows them. The zero value
// is for systemd 247 on x86-64.
type Set struct{ groups, seccomp, arch int }

// Of returns the set of a systemd version with the libseccomp that Debian ships with it, on x86-64. The tables have
// only 247, 252, 257 and 262: any other version gets the groups of the next older one of these, or of 247.
func Of(version int) Set {
	i := sort.SearchInts(syscallVersions, version+1) - 1
	i = max(i, 0)
	return Set{groups: i, seccomp: i}
}

// For returns the set of a systemd version on an architecture, named as uname(1) or Go names it, with a libseccomp. An
// empty architecture is this machine's, an empty libseccomp the one that Debian ships with the systemd version.
func For(version int, arch, libseccomp string) (Set, error) {
	if arch == "" {
		arch = runtime.GOARCH
	}
	calls, ok := Of(version).On(arch)
	if !ok {
		return Set{}, fmt.Errorf("architecture %q is not known, want one such as x86_64 or aarch64", arch)
	}
	if libseccomp != "" {
		calls = calls.With(libseccomp)
	}
	return calls, nil
}

// Versions returns the systemd versions in the tables.
func Versions() []int { return slices.Clone(syscallVersions) }

// Version returns the systemd version whose groups s has; it is one of [Versions].
func (s Set) Version() int { return syscallVersions[s.groups] }

// On returns the same set for another architecture, named as uname(1) or Go names it. ok is false for an architecture
// that is not known.
func (s Set) On(arch string) (on Set, ok bool) {
	for _, a := range archAliases {
		if a.alias == arch {
			arch = a.name
			break
		}
	}
	s.arch = slices.Index(seccompArches, arch)
	return s, s.arch >= 0
}

// archAliases are the names of Go and systemd for architectures that libseccomp names differently.
var archAliases = []struct{ alias, name string }{
	{"amd64", "x86_64"},
	{"x86-64", "x86_64"},
	{"arm64", "aarch64"},
	{"386", "x86"},
	{"i386", "x86"},
	{"i486", "x86"},
	{"i586", "x86"},
	{"i686", "x86"},
	{"armv7l", "arm"},
	{"armhf", "arm"},
	{"ppc64-le", "ppc64le"},
	{"ppc64el", "ppc64le"},
	{"loong64", "loongarch64"},
}

// With returns the same set with another libseccomp, such as "2.5.5". For a version that is not in the tables, the next
// older one counts.
func (s Set) With(libseccomp string) Set {
	s.seccomp = 0
	for i, v := range seccompVersions {
		if compareVersions(v, libseccomp) <= 0 {
			s.seccomp = i
		}
	}
	return s
}

// compareVersions compares dotted numbers.
func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		if c := cmp.Compare(len(x), len(y)); c != 0 {
			return c
		}
		return cmp.Compare(x, y)
	})
}

// Known reports whether SystemCallFilter= accepts the name. systemd ignores other names with a warning.
func (s Set) Known(call string) bool {
	row, ok := findSyscall(call)
	return ok && row.known&(1<<s.seccomp) != 0
}

// Native reports whether the architecture has the call.
func (s Set) Native(call string) bool {
	row, ok := findSyscall(call)
	return ok && row.native&(1<<(s.seccomp*len(seccompArches)+s.arch)) != 0
}

// Groups returns the names of all groups, sorted.
func (s Set) Groups() []string {
	var names []string
	for _, g := range syscallGroups {
		if slices.ContainsFunc(g.members, func(m syscallMember) bool { return m.in&(1<<s.groups) != 0 }) {
			names = append(names, g.name)
		}
	}
	return names
}

// Members returns what a group such as "@mount" lists, in systemd's order: calls, and groups within it, which come
// first. Names that no libseccomp knows are left out. It is empty if there is no such group.
func (s Set) Members(group string) []string {
	i, ok := slices.BinarySearchFunc(syscallGroups, group, func(g syscallGroup, name string) int {
		return strings.Compare(g.name, name)
	})
	if !ok {
		return nil
	}
	var names []string
	for _, m := range syscallGroups[i].members {
		if m.in&(1<<s.groups) != 0 {
			names = append(names, m.name)
		}
	}
	return names
}

// Group returns every call of a group, and of the groups within it, that libseccomp knows; sorted. ok is false if there
// is no such group.
func (s Set) Group(name string) (calls []string, ok bool) {
	calls, ok = s.group(name)
	return slices.Clone(calls), ok
}

// expanded caches the results of group: there are few groups, and each is needed for every unit.
var expanded sync.Map // from expansion to []string

type expansion struct {
	Set
	group  string
	native bool
}

// group is Group without the copy of the result.
func (s Set) group(name string) (calls []string, ok bool) {
	key := expansion{s, name, false}
	if found, ok := expanded.Load(key); ok {
		return found.([]string), true
	}
	members := s.Members(name)
	if len(members) == 0 {
		return nil, false
	}
	for _, m := range members {
		switch {
		case strings.HasPrefix(m, "@"):
			inner, _ := s.group(m)
			calls = append(calls, inner...)
		case s.Known(m):
			calls = append(calls, m)
		}
	}
	slices.Sort(calls)
	calls = slices.Compact(calls)
	expanded.Store(key, calls)
	return calls, true
}

// NativeMembers returns the calls of a group, and of the groups within it, that the architecture has, in the order in
// which systemd checks them. The slice is shared: it must not be changed.
func (s Set) NativeMembers(group string) []string {
	key := expansion{s, group, true}
	if found, ok := expanded.Load(key); ok {
		return found.([]string)
	}
	var calls []string
	for _, m := range s.Members(group) {
		switch {
		case strings.HasPrefix(m, "@"):
			calls = append(calls, s.NativeMembers(m)...)
		case s.Native(m):
			calls = append(calls, m)
		}
	}
	expanded.Store(key, calls)
	return calls
}

// Group returns every call of a group such as "@mount", and of the groups within it; sorted. ok is false if a
// systemd version has no such group.
func Group(name string, version int) (calls []string, ok bool) {
	return Of(version).Group(name)
}

// Groups returns the names of all groups that a systemd version has, sorted.
func Groups(version int) []string { return Of(version).Groups() }

// Known reports whether any of the systemd versions knows the call.
func Known(name string) bool {
	_, ok := findSyscall(name)
	return ok
}

// All returns the names of all calls that any of the systemd versions knows, sorted.
func All() []string {
	names := make([]string, len(syscallRows))
	for i, row := range syscallRows {
		names[i] = row.name
	}
	return names
}

func findSyscall(name string) (syscallRow, bool) {
	i, ok := slices.BinarySearchFunc(syscallRows, name, func(r syscallRow, name string) int {
		return strings.Compare(r.name, name)
	})
	if !ok {
		return syscallRow{}, false
	}
	return syscallRows[i], true
}
