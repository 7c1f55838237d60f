package place

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// Kept is what a service can set in the kernel of a place and no stop of it takes back: the variables of the network, by their paths,
// its addresses, routes, interfaces and filters, what is shared between processes, the name of the host, and mounts.
func (p *Place) Kept() (map[string]string, error) {
	state := map[string]string{}
	err := p.Inside(func() error {
		var names unix.Utsname
		err := unix.Uname(&names)
		state["the host name"] = unix.ByteSliceToString(names.Nodename[:]) + " " + unix.ByteSliceToString(names.Domainname[:])
		state["the packet filter"] = generation()
		variables(state)
		for file, look := range tables {
			data, _ := os.ReadFile(file) // a kernel without a protocol has no file for it
			state[strings.Replace(file, "/thread-self", "", 1)] = look(string(data))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("what the kernel keeps of the place: %w", err)
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.leader))
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 4 && !systems(f[4]) {
			state["the mount at "+f[4]] += f[2] + f[3]
		}
	}
	return state, err
}

// Inside calls f on a thread that has the network, the host name and the objects of System V IPC of the place: of these the files of
// proc(5) show everybody his own, wherever they are mounted.
func (p *Place) Inside(f func() error) error {
	if p.box == nil {
		return f()
	}
	done := make(chan error, 1)
	onOwnThread(func() {
		err := unix.Setns(p.net, unix.CLONE_NEWNET)
		for name, kind := range map[string]int{"ipc": unix.CLONE_NEWIPC, "uts": unix.CLONE_NEWUTS} {
			if err == nil {
				err = enter(fmt.Sprintf("/proc/%d/ns/%s", p.leader, name), kind)
			}
		}
		if err == nil {
			err = f()
		}
		done <- err
	})
	return <-done
}

// enter moves the calling thread to a namespace.
func enter(name string, kind int) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	return unix.Setns(fd, kind)
}

// variables adds those of the network that the calling thread is in.
func variables(state map[string]string) {
	const settable = 0o600
	_ = filepath.WalkDir("/proc/sys/net", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // an interface has gone meanwhile
		}
		if info, err := entry.Info(); err == nil && info.Mode()&settable == settable {
			data, _ := os.ReadFile(file) // some tell nothing until they are set
			state[file] = string(data)
		}
		return nil
	})
}

// tables are files of proc(5) by what of each does not change by itself. The old packet filter lists its tables once they are used.
var tables = map[string]func(string) string{
	"/proc/thread-self/net/dev":              columns(0), // without what interfaces have counted
	"/proc/thread-self/net/fib_trie":         whole,
	"/proc/thread-self/net/if_inet6":         whole,
	"/proc/thread-self/net/ipv6_route":       columns(0, 1, 2, 3, 4, 5, 9),
	"/proc/thread-self/net/ip_tables_names":  whole,
	"/proc/thread-self/net/ip6_tables_names": whole,
	"/proc/sysvipc/shm":                      columns(0, 1, 2, 3),
	"/proc/sysvipc/sem":                      columns(0, 1, 2, 3),
	"/proc/sysvipc/msg":                      columns(0, 1, 2, 3, 4),
}

func whole(table string) string { return table }

// columns leaves some columns of a table.
func columns(wanted ...int) func(string) string {
	return func(table string) string {
		var left strings.Builder
		for line := range strings.Lines(table) {
			f := strings.Fields(line)
			for _, i := range wanted {
				if i < len(f) {
					left.WriteString(f[i] + " ")
				}
			}
			left.WriteByte('\n')
		}
		return left.String()
	}
}

// generation is the number of changes that the packet filter of the calling thread's network has seen; "" where it has none.
func generation() string {
	if !filters() {
		return ""
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	const header, family = unix.SizeofNlMsghdr, 4 // nfgenmsg of linux/netfilter/nfnetlink.h
	ask := make([]byte, header+family)
	binary.NativeEndian.PutUint32(ask, uint32(len(ask)))
	binary.NativeEndian.PutUint16(ask[4:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN)
	binary.NativeEndian.PutUint16(ask[6:], unix.NLM_F_REQUEST)
	answer := make([]byte, os.Getpagesize())
	err = unix.Sendto(fd, ask, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	n := 0
	if err == nil {
		n, _, err = unix.Recvfrom(fd, answer, unix.MSG_DONTWAIT) // netlink answers before the call is over
	}
	if err != nil || n < header+family+unix.SizeofNlAttr+4 || binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return ""
	}
	return fmt.Sprint(binary.BigEndian.Uint32(answer[header+family+unix.SizeofNlAttr:])) // NFTA_GEN_ID comes first
}

// filters reports whether the kernel has the packet filter. One that would first load the module for it is not asked: it would keep it.
func filters() bool {
	if _, err := os.Stat("/proc/modules"); err != nil {
		return true // it loads none
	}
	if _, err := os.Stat("/sys/module/nf_tables"); err == nil {
		return true
	}
	var names unix.Utsname
	_ = unix.Uname(&names)
	builtin, _ := os.ReadFile("/lib/modules/" + unix.ByteSliceToString(names.Release[:]) + "/modules.builtin")
	return strings.Contains(string(builtin), "/nf_tables.ko")
}

// systems reports whether a path is one that systemd mounts and unmounts as units come and go.
func systems(name string) bool {
	for dir := range systemsOwn {
		if host.Below(dir, name) {
			return true
		}
	}
	return false
}
