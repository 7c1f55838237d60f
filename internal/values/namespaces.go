package values

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/unit"
)

// namespaceNames are the namespaces of namespaces(7) in the order of the bits of a NamespaceSet, cloneFlags their bits
// in the flags of clone(2).
var (
	namespaceNames = []string{"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"}
	cloneFlags     = []uint64{
		unix.CLONE_NEWCGROUP, unix.CLONE_NEWIPC, unix.CLONE_NEWNS, unix.CLONE_NEWNET,
		unix.CLONE_NEWPID, unix.CLONE_NEWTIME, unix.CLONE_NEWUSER, unix.CLONE_NEWUTS,
	}
)

// NamespaceSet is a set of types of namespaces that a service may create or enter: bit n is entry n of
// [NamespaceNames].
type NamespaceSet uint8

// AllNamespaces is what an unrestricted service may use.
const AllNamespaces NamespaceSet = 1<<8 - 1

const timeNamespace NamespaceSet = 1 << 5

// NamespaceNames returns the names that RestrictNamespaces= accepts, sorted.
func NamespaceNames() []string { return slices.Clone(namespaceNames) }

// Namespaces returns the set of the named namespaces; names that do not exist are left out.
func Namespaces(names ...string) NamespaceSet {
	var s NamespaceSet
	for i, name := range namespaceNames {
		if slices.Contains(names, name) {
			s |= 1 << i
		}
	}
	return s
}

// NamespacesOf returns the namespaces whose bits are in the flags of clone(2).
func NamespacesOf(flags uint64) NamespaceSet {
	var s NamespaceSet
	for i, flag := range cloneFlags {
		if flags&flag != 0 {
			s |= 1 << i
		}
	}
	return s
}

// Names returns the names of the namespaces in the set, sorted.
func (s NamespaceSet) Names() []string {
	var names []string
	for i, name := range namespaceNames {
		if s&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}

// Has reports whether the named namespace is in the set.
func (s NamespaceSet) Has(name string) bool {
	i := slices.Index(namespaceNames, name)
	return i >= 0 && s&(1<<i) != 0
}

// String returns the names with a blank between them, as RestrictNamespaces= accepts them.
func (s NamespaceSet) String() string { return strings.Join(s.Names(), " ") }

// ParseRestrictNamespaces returns the namespaces that a service may use after a sequence of RestrictNamespaces=
// assignments, as a systemd version reads them; without any assignment, these are all. See systemd.exec(5).
//
// A list with an unknown name is ignored as a whole. Up to 257 "time" does not belong to all namespaces: a list of the
// other seven restricts nothing, and "~user" denies "time" too.
func ParseRestrictNamespaces(values []string, version int) NamespaceSet {
	all := AllNamespaces
	if version < sinceTimeIsNamespace {
		all &^= timeNamespace
	}
	set, initial := all, true
	for _, value := range values {
		if value == "" {
			set, initial = all, true
			continue
		}
		if yes, ok := unit.Bool(value); ok {
			set, initial = all, false
			if yes {
				set = 0
			}
			continue
		}
		list, inverted := strings.CutPrefix(value, "~")
		names, ok := namespaceList(list, version)
		switch {
		case !ok:
			continue
		case initial && inverted:
			set = all &^ names
		case initial:
			set = names
		case inverted:
			set &^= names
		default:
			set |= names
		}
		initial = false
	}
	if set&all == all {
		return AllNamespaces
	}
	return set
}

// namespaceList returns the set of a list; ok is false if a word is not a namespace, or if the list ends in a
// backslash.
func namespaceList(list string, version int) (set NamespaceSet, ok bool) {
	words, err := unit.SplitWords(list, 0)
	for _, word := range words {
		if !KnownNamespace(word, version) {
			return 0, false
		}
		set |= 1 << slices.Index(namespaceNames, word)
	}
	return set, err == nil
}

// KnownNamespace reports whether a systemd version accepts a word as a namespace.
func KnownNamespace(word string, version int) bool {
	i := slices.Index(namespaceNames, word)
	return i >= 0 && (1<<i != timeNamespace || version >= sinceTimeHasName)
}
