// Package kernelstate reads what a service can set in the kernel and no stop of the service takes back: the variables,
// addresses, routes, interfaces and filters of the network, what is shared between processes, the name of the host.
package kernelstate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// Read returns the state of the namespaces that the calling thread is in, by names for people. It is the same as long
// as nobody changes anything.
func Read() (map[string]string, error) {
	var names unix.Utsname
	if err := unix.Uname(&names); err != nil {
		return nil, err
	}
	name, domain := unix.ByteSliceToString(names.Nodename[:]), unix.ByteSliceToString(names.Domainname[:])
	state := map[string]string{"the host name": name + " " + domain, "the packet filter": packetFilter()}
	if err := addNetworkVariables(state); err != nil {
		return nil, err
	}
	for file, stable := range tables {
		data, err := host.ReadKernelFile(file, maxTable)
		if errors.Is(err, host.ErrTooLong) { // of other errors: a kernel without a protocol has no file for it
			return nil, err
		}
		state[strings.Replace(file, "/thread-self", "", 1)] = stable(string(data))
	}
	return state, nil
}

const (
	maxTable     = 64 << 20
	maxVariables = 100_000 // each interface has some two hundred
)

// addNetworkVariables adds the variables of the network that root can set.
func addNetworkVariables(state map[string]string) error {
	const settable = 0o600
	return filepath.WalkDir("/proc/sys/net", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // an interface has gone meanwhile
		}
		if info, err := entry.Info(); err == nil && info.Mode()&settable == settable {
			data, _ := os.ReadFile(file) // some cannot be read until they are set
			state[file] = string(data)
		}
		if len(state) > maxVariables {
			return fmt.Errorf("/proc/sys/net: has more than %d variables, want at most that", maxVariables)
		}
		return nil
	})
}

// tables are files of proc(5), and for each the function that keeps what does not change by itself. The old packet
// filter lists its tables once they are used.
var tables = map[string]func(string) string{
	"/proc/thread-self/net/dev":              columns(0), // without what interfaces have counted
	"/proc/thread-self/net/fib_trie":         whole,
	"/proc/thread-self/net/if_inet6":         withoutLocalLinks(columns(0, 1, 2, 3, 5)), // without the flags
	"/proc/thread-self/net/ipv6_route":       withoutLocalLinks(columns(0, 1, 2, 3, 4, 5, 9)),
	"/proc/thread-self/net/ip_tables_names":  whole,
	"/proc/thread-self/net/ip6_tables_names": whole,
	"/proc/sysvipc/shm":                      columns(0, 1, 2, 3),
	"/proc/sysvipc/sem":                      columns(0, 1, 2, 3),
	"/proc/sysvipc/msg":                      columns(0, 1, 2, 3, 4),
}

// localLinks matches the lines of addresses that the kernel gives an interface by itself a moment after it is up, and
// of routes to them and to groups: fe80::/10 and ff00::/8.
var localLinks = regexp.MustCompile(`(?m)^(fe[89ab]|ff)[0-9a-f]{28,30} .*\n`)

// withoutLocalLinks leaves out these lines.
func withoutLocalLinks(stable func(string) string) func(string) string {
	return func(table string) string { return stable(localLinks.ReplaceAllString(table, "")) }
}

func whole(table string) string { return table }

// columns keeps some columns of a table.
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
