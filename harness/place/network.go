package place

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Network is what a service can set in the network of a place and no restart of it takes back: the variables of the kernel, by
// their paths, and the addresses and interfaces that there are.
func (p *Place) Network() (map[string]string, error) {
	type result struct {
		state map[string]string
		err   error
	}
	done := make(chan result, 1)
	onOwnThread(func() {
		var r result
		if p.net >= 0 {
			r.err = unix.Setns(p.net, unix.CLONE_NEWNET)
		}
		if r.err == nil {
			r.state, r.err = network()
		}
		done <- r
	})
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("the network of the place: %w", r.err)
	}
	return r.state, nil
}

// network looks at that of the calling thread.
func network() (map[string]string, error) {
	const settable = 0o600
	state := map[string]string{}
	err := filepath.WalkDir("/proc/sys/net", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil // an interface has gone meanwhile
		}
		if info, err := entry.Info(); err == nil && info.Mode()&settable == settable {
			data, _ := os.ReadFile(file) // some tell nothing until they are set
			state[file] = string(data)
		}
		return nil
	})
	for _, name := range []string{"dev", "fib_trie", "if_inet6"} {
		data, _ := os.ReadFile("/proc/thread-self/net/" + name) // a kernel without a protocol has no file for it
		if name == "dev" {
			data = counters(data)
		}
		state["/proc/net/"+name] = string(data)
	}
	return state, err
}

// counters leaves the names of interfaces without what they have counted.
func counters(table []byte) []byte {
	var names []byte
	for line := range strings.Lines(string(table)) {
		if name, _, ok := strings.Cut(line, ":"); ok {
			names = fmt.Appendln(names, strings.TrimSpace(name))
		}
	}
	return names
}
