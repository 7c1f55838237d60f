package observe

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"temper/harness/proc"
	"temper/internal/host"
)

// A Place is where services run.
type Place interface {
	Leader() int               // PID 1 of the place, by its id here
	Root() host.Root           // its files
	IDInside(id uint32) uint32 // the number that a user or group of the machine has there
}

// An Observer looks at the services of a place.
type Observer struct {
	Proc  proc.Dir
	Place Place
}

// socketNames says where others reach the sockets that one snapshot meets.
type socketNames struct {
	Observer
	leader  proc.Process
	shared  map[string]string            // sockets in the network namespace of the place
	private map[string]map[string]string // sockets in other network namespaces
	alike   map[string][]string          // names that differ in their numbers only, by what they have in common
}

func (o Observer) newSocketNames() *socketNames {
	leader := o.Proc.Process(o.Place.Leader())
	return &socketNames{
		Observer: o, leader: leader, shared: leader.Listeners(),
		private: map[string]map[string]string{}, alike: map[string][]string{},
	}
}

// number matches a word that holds a number, which tells workers, addresses and the like apart.
var number = regexp.MustCompile(`[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*`)

// withoutNumbers replaces what differs between two launches of one service: process ids, times, counters, random names.
func withoutNumbers(s string) string { return number.ReplaceAllString(s, "N") }

// of says where others reach a process by one of its sockets, and who can; nothing if it waits for nobody. A socket in
// a network namespace of its own, or behind a mount that others do not see, is not where it would be without.
func (n *socketNames) of(p proc.Process, socket string) []string {
	name, isPrivate, ok := n.find(p, socket)
	inFiles := strings.Contains(name, " /")
	switch {
	case !ok:
		return nil
	case !inFiles && isPrivate:
		return []string{n.count(abstractName(name)+", in a network of its own", name)}
	case !inFiles:
		return []string{n.count(abstractName(name), name)}
	}
	kind, file, _ := strings.Cut(name, " ")
	common := kind + " " + withoutNumbers(file)
	if !n.visible(p, file) {
		return []string{n.count(common+", where only it can see", name)}
	}
	list := []string{n.count(common, name)}
	if who := n.clients(file); who != "" {
		list = append(list, n.count(common+", open to "+who, name))
	}
	return list
}

// find returns the address of a socket that waits for clients, and whether it is in a network namespace of the
// process's own.
func (n *socketNames) find(p proc.Process, socket string) (name string, isPrivate, ok bool) {
	if name, ok = n.shared[socket]; ok {
		return name, false, true
	}
	if p.SameNamespace(n.leader, "net") {
		return "", false, false
	}
	network := p.Link("ns/net")
	if n.private[network] == nil {
		n.private[network] = p.Listeners()
	}
	name, ok = n.private[network][socket]
	return name, true, ok
}

// count tells sockets apart, by how many there are, of which only the numbers in their names differ. Of datagram
// sockets one counts: how many clients have one of their own is a matter of the moment.
func (n *socketNames) count(common, name string) string {
	if !strings.HasPrefix(name, "unix ") {
		return common
	}
	i := slices.Index(n.alike[common], name)
	if i < 0 {
		i = len(n.alike[common])
		n.alike[common] = append(n.alike[common], name)
	}
	if i == 0 {
		return common
	}
	return fmt.Sprintf("%s (number %d)", common, i+1)
}

// clients says who but the owner may connect to the socket at a path, empty if nobody; unix(7).
func (n *socketNames) clients(file string) string {
	const group, others = 0o020, 0o002
	info, err := n.Place.Root().Lstat(file)
	if err != nil {
		return "" // gone, or renamed since
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case mode&others != 0:
		return "everybody"
	case ok && mode&group != 0:
		return fmt.Sprintf("group %d", n.Place.IDInside(owner.Gid))
	}
	return ""
}

// visible reports whether a path leads to the same file for a process and for the place.
func (n *socketNames) visible(p proc.Process, path string) bool {
	theirs, err := host.At(p.Root()).Lstat(path)
	if err != nil {
		return true // gone, or renamed since: no namespace did that
	}
	ours, err := n.Place.Root().Lstat(path)
	return err == nil && os.SameFile(theirs, ours)
}

// abstractName leaves the numbers out of the name of an abstract socket, unix(7): often they are process ids.
func abstractName(name string) string {
	if strings.Contains(name, " @") {
		return withoutNumbers(name)
	}
	return name
}
