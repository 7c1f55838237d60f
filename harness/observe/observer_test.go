package observe_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/observe"
	"temper/harness/proc/proctest"
	"temper/internal/host"
)

// place is a place whose PID 1 has the id 1, and whose group ids differ from those of the machine.
type place struct{ root string }

func (p place) Leader() int               { return 1 }
func (p place) Root() host.Root           { return host.At(p.root) }
func (p place) IDInside(id uint32) uint32 { return id + 1 }

// TestTake: a snapshot has the processes of a service with their parents and ages, and its sockets.
func TestTake(t *testing.T) {
	root := t.TempDir()
	sockets(t, root, map[string]os.FileMode{
		"/run/own": 0o600, "/run/group": 0o660, "/run/all": 0o666, "/run/w7": 0o600, "/run/w8": 0o600,
		"/run/hid": 0o666,
	})
	hidden := t.TempDir()
	sockets(t, hidden, map[string]os.FileMode{"/run/hid": 0o600})
	const tcp = "  0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1\n"
	unix := func(inode int, name string) string {
		return fmt.Sprintf("0000: 00000002 00000000 00010000 0001 01 %d %s\n", inode, name)
	}
	ofPlace := map[string]string{
		"net/tcp": tcp,
		"net/unix": unix(2, "/run/own") + unix(3, "/run/group") + unix(4, "/run/all") + unix(5, "@name-12") +
			unix(6, "/run/w7") + unix(7, "/run/w8") + unix(8, "/run/hid") + unix(9, "/run/gone"),
	}
	open := func(inodes ...int) proctest.Process {
		p := proctest.Process{"root": "-> " + root}
		for _, i := range inodes {
			p[fmt.Sprintf("fd/%d", i)] = fmt.Sprintf("-> socket:[%d]", i)
		}
		return p
	}
	with := func(p proctest.Process, pairs ...string) proctest.Process {
		for i := 0; i < len(pairs); i += 2 {
			p[pairs[i]] = pairs[i+1]
		}
		return p
	}
	dir := proctest.Dir(t, map[int]proctest.Process{
		1: with(open(), "comm", "systemd\n", "net/tcp", ofPlace["net/tcp"], "net/unix", ofPlace["net/unix"]),
		10: with(open(1, 2, 3, 4, 5, 6, 7, 9, 99), "comm", "master\n",
			"stat", proctest.Stat(10, "master", "S", 1, 0)),
		11: with(open(8), "comm", "worker 1\n", "root", "-> "+hidden,
			"stat", proctest.Stat(11, "worker 1", "S", 10, 100)),
		12: with(open(1), "comm", "worker 2\n", "stat", proctest.Stat(12, "worker 2", "R", 10, 50)),
		13: with(open(21, 22), "comm", "caged\n", "stat", proctest.Stat(13, "caged", "S", 77, 0), "ns/net",
			"-> net:[2]",
			"net/tcp", "  0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 21 1\n"),
	})
	o := observe.Observer{Proc: dir, Place: place{root}}
	begin := time.Now()
	got := o.Take(
		observe.Unit{State: "active (running)", PIDs: []int{10, 11, 12, 404}},
		observe.Unit{State: "active (exited)", PIDs: []int{13}},
	)
	set := func(words ...string) map[string]bool {
		m := map[string]bool{}
		for _, w := range words {
			m[w] = true
		}
		return m
	}
	want := observe.Snapshot{
		Sockets: set(
			"tcp 0.0.0.0:80", "tcp 127.0.0.1:80, in a network of its own", "unix @name-N",
			"unix /run/own", "unix /run/group", fmt.Sprintf("unix /run/group, open to group %d", os.Getgid()+1),
			"unix /run/all", "unix /run/all, open to everybody", "unix /run/N", "unix /run/N (number 2)",
			"unix /run/hid, where only it can see", "unix /run/gone",
		),
		Processes: set("master", "worker N", "caged"),
		States:    set("active (running)", "active (exited)"),
		Busy:      true,
	}
	want.Ages, want.At = got.Ages, got.At
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.At.Before(begin) || len(got.Ages["master of systemd"]) != 1 || len(got.Ages["caged"]) != 1 {
		t.Errorf("at %s: %v", got.At, got.Ages)
	}
	if workers := got.Ages["worker N of master"]; len(workers) != 2 || workers[0] <= workers[1] {
		t.Errorf("workers, the oldest first: %v", workers)
	}
}

// sockets makes Unix sockets with different modes below a directory.
func sockets(t *testing.T, root string, modes map[string]os.FileMode) {
	t.Helper()
	t.Chdir(root) // the path of a socket must be short
	for name, mode := range modes {
		if err := os.MkdirAll(filepath.Dir("."+name), 0o755); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", "."+name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		if err := os.Chmod("."+name, mode); err != nil {
			t.Fatal(err)
		}
	}
}
