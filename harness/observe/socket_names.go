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
	IDInside(id uint32) uint32 // the id there of a user or group of the machine
}

// An Observer takes snapshots of the services of a place.
type Observer struct {
	Proc  proc.Dir
	Place Place
}

// socketNames names the sockets of one snapshot by the addresses at which clients reach them.
type socketNames struct {
	Observer
	leader  proc.Process
	shared  map[string]string            // sockets in the network namespace of the place
	private map[string]map[string]string // sockets in other network namespaces
	alike   map[string][]string          // names that differ only in numbers, by the name without numbers
}

func (o Observer) newSocketNames() *socketNames {
	leader := o.Proc.Process(o.Place.Leader())
	return &socketNames{
		Observer: o, leader: leader, shared: leader.Listeners(),
		private: map[string]map[string]string{}, alike: map[string][]string{},
	}
}

// number matches a word that contains a digit.
var number = regexp.MustCompile(`[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*`)

// withoutNumbers replaces what differs from launch to launch: process ids, times, counters, random names.
func withoutNumbers(s string) string { return number.ReplaceAllString(s, "N") }

// of names a socket of a process by its address and by who can connect to it. It returns nothing for a socket that
// waits for no client. A socket in a private network namespace, or behind a private mount, gets a different name, since
// other processes cannot reach it.
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
		return []string{n.count(common+hidden, name)}
	}
	list := []string{n.count(common, name)}
	if who := n.clients(file); who != "" {
		list = append(list, n.count(common+", open to "+who, name))
	}
	return list
}

// hidden ends the name of a socket that others cannot see.
const hidden = ", where only it can see"

// find returns the address of a socket that waits for clients, and whether it is in a private network namespace of the
// process.
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

// count numbers the stream sockets whose names differ only in numbers, so that their count is compared. Datagram
// sockets with such names count as one: each client may have its own, and their count varies.
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

// clients says who else than the owner may connect to the socket at a path; empty if nobody; unix(7).
func (n *socketNames) clients(file string) string {
	const group, others = 0o020, 0o002
	info, err := n.Place.Root().Lstat(file)
	if err != nil {
		return "" // removed or renamed meanwhile
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
		return true // removed or renamed meanwhile, and not hidden by a namespace
	}
	ours, err := n.Place.Root().Lstat(path)
	return err == nil && os.SameFile(theirs, ours)
}

// abstractName removes the numbers from the name of an abstract socket, unix(7): often they are process ids.
func abstractName(name string) string {
	if strings.Contains(name, " @") {
		return withoutNumbers(name)
	}
	return name
}
