package proc_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/proc"
	"temper/harness/proc/proctest"
)

// TestProcess reads everything of a running process, and empty values of one that has ended.
func TestProcess(t *testing.T) {
	dir := proctest.Dir(t, map[int]proctest.Process{
		7: {
			"comm": "worker\n", "exe": "-> /usr/sbin/nginx", "environ": "A=1\x00B=two words\x00",
			"status": "Name:\tworker\nSeccomp:\t2\nUid:\t0\t0\n", "stat": proctest.Stat(7, "a) b (", "D", 3, 100),
			"fd/1": "-> /dev/null", "fd/2": "-> socket:[11]", "ns/net": "-> net:[2]",
		},
		8: {"ns/net": ""},
	})
	p, other, gone := dir.Process(7), dir.Process(8), dir.Process(9)
	if p.Comm() != "worker" || p.Program() != "nginx" || p.Link("ns/net") != "net:[2]" ||
		p.Root() != string(dir)+"/7/root" {
		t.Errorf("%q runs %q in %q, root %q", p.Comm(), p.Program(), p.Link("ns/net"), p.Root())
	}
	if got, err := p.Environ(); err != nil || !slices.Equal(got, []string{"A=1", "B=two words"}) {
		t.Errorf("the environment is %q, %v", got, err)
	}
	if diff := cmp.Diff(map[string]string{"Name": "worker", "Seccomp": "2", "Uid": "0\t0"}, p.Status()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"socket:[11]"}, p.Sockets()); diff != "" {
		t.Error(diff)
	}
	if s := p.Stat(); !s.Busy || s.Parent != 3 || s.Age <= 0 {
		t.Errorf("%+v", s)
	}
	if s := other.Stat(); s.Busy || s.Parent != 1 || s.Age-p.Stat().Age < time.Second-50*time.Millisecond {
		t.Errorf("%+v, a second older than %+v", s, p.Stat())
	}
	if !p.SameNamespace(other, "mnt") || !p.SameNamespace(other, "net") || !other.SameNamespace(p, "net") {
		t.Error("namespaces that are the same, or are not known, are told apart")
	}
	if environ, err := gone.Environ(); len(environ) > 0 || err != nil {
		t.Errorf("a process that has ended has the environment %q, %v", environ, err)
	}
	if gone.Comm() != "" || gone.Program() != "" || gone.Status() != nil ||
		gone.Sockets() != nil || gone.Stat() != (proc.Stat{}) {
		t.Error("a process that has ended has something")
	}
}

// TestFind: a process is found by its id in the namespace of a place, however deep that is nested.
func TestFind(t *testing.T) {
	nested := func(ids string) proctest.Process { return proctest.Process{"status": "NSpid:\t" + ids + "\n"} }
	dir := proctest.Dir(t, map[int]proctest.Process{
		100: nested("100\t1"), 107: nested("107\t7"), 108: nested("108\t9\t7"), 109: nested("109"),
	})
	all := []int{109, 108, 107}
	for id, want := range map[int]int{7: 107, 9: 108, 109: 0, 0: 0} {
		if got := dir.Find(all, 100, id); got != want {
			t.Errorf("%d in the place is %d, want %d", id, got, want)
		}
	}
	if got := dir.Find(all, 999, 109); got != 0 {
		t.Errorf("in a place that is gone there is %d", got)
	}
}

// TestInCgroup lists the processes of a group and of those below it.
func TestInCgroup(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"cgroup.procs": "1\n2\n", "a/cgroup.procs": "3\n", "a/b/cgroup.procs": "", "a/pids.max": "max\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := proc.InCgroup(dir)
	slices.Sort(got)
	if diff := cmp.Diff([]int{1, 2, 3}, got); diff != "" {
		t.Error(diff)
	}
	if got := proc.InCgroup(dir + "/gone"); got != nil {
		t.Errorf("in no group there are %v", got)
	}
}

const mounts = `22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 25 0:21 / /srv/with\040blank ro,noexec - tmpfs tmpfs rw,size=1k
24 22 0:22 / /srv rw - tmpfs tmpfs rw
25 24 0:23 / /srv ro master:3 - tmpfs tmpfs rw
26 22 0:24 / /srv/below rw - tmpfs tmpfs rw
27 22 0:25 / /opt rw - tmpfs tmpfs rw
28 22 0:26 / /opt rw - tmpfs tmpfs rw
`

// TestMounts: mount points are unescaped, and a path is on the mount that the kernel reaches, not on one below it.
func TestMounts(t *testing.T) {
	dir := proctest.Dir(t, map[int]proctest.Process{
		1: {"mountinfo": mounts}, 2: {"root": "-> /newroot", "mountinfo": mounts},
	})
	outside := func() ([]byte, error) { return []byte("1 0 0:9 / /newroot rw - ext4 x rw\n"), nil }
	got, err := dir.Process(1).Mounts(outside)
	if err != nil {
		t.Fatal(err)
	}
	for path, device := range map[string]string{
		"/": "0:20", "/usr": "0:20", "/srv/with blank/x": "0:21", "/srv/with": "0:23", "/srv": "0:23",
		"/srv/below/x": "0:23", "/opt/x": "0:26",
	} {
		if m := proc.Covering(got, path); m.Device != device {
			t.Errorf("%s lies on %+v, want %s", path, m, device)
		}
	}
	want := proc.Mount{
		ID: 23, Parent: 25, Device: "0:21", Root: "/", Point: "/srv/with blank",
		Options: []string{"ro", "noexec"}, Super: []string{"rw", "size=1k"},
	}
	if diff := cmp.Diff(want, got[1]); diff != "" {
		t.Error(diff)
	}
	if got, err := dir.Process(2).Mounts(outside); err != nil || len(got) != 1 || got[0].Point != "/newroot" {
		t.Errorf("with another root directory: %+v, %v", got, err)
	}
	failing := func() ([]byte, error) { return nil, os.ErrPermission }
	if got, err := dir.Process(2).Mounts(failing); err != nil || len(got) != 7 {
		t.Errorf("where others cannot be read, those that the process sees: %+v, %v", got, err)
	}
	if got, err := dir.Process(3).Mounts(outside); err != nil || got != nil {
		t.Errorf("a process that has gone: %+v, %v", got, err)
	}
	if got, err := proc.ParseMounts([]byte("nonsense\n")); err == nil {
		t.Errorf("nonsense: %+v", got)
	}
	if m := proc.Covering(nil, "/"); m.Point != "" {
		t.Errorf("no mounts: %+v", m)
	}
}

// TestListeners: a TCP socket that listens counts on any port. A UDP socket on a high port is a client and does not
// count.
func TestListeners(t *testing.T) {
	const head = "  sl  local_address rem_address\n"
	line := func(address, state, inode string) string {
		const rest = " 00000000:00000000 00:00000000 00000000 0 0 "
		return "  0: " + address + " 00000000:0000 " + state + rest + inode + " 1\n"
	}
	dir := proctest.Dir(t, map[int]proctest.Process{1: {
		"net/tcp": head + line("0100007F:0050", "0A", "1") + line("0100007F:C383", "0A", "2") +
			line("0100007F:C384", "01", "3") + line("zz:0050", "0A", "6"),
		"net/tcp6": head + line("00000000000000000000000001000000:0016", "0A", "7") +
			line("00000000000000000000000000000000:0050", "0A", "8"),
		"net/udp": head + line("00000000:0035", "07", "4") + line("0100007F:C383", "07", "5") +
			line("00000000:0000", "07", "9"),
		"net/unix": "Num       RefCount Protocol Flags    Type St Inode Path\n" +
			"0000: 00000002 00000000 00010000 0001 01 11 /run/a b\n" +
			"0000: 00000002 00000000 00010000 0001 01 12 @x\n" +
			"0000: 00000002 00000000 00000000 0002 01 13 /run/log\n" +
			"0000: 00000002 00000000 00000000 0001 03 14 /run/client\n" +
			"0000: 00000002 00000000 00010000 0001 01 15\n",
	}})
	want := map[string]string{
		"socket:[1]": "tcp 127.0.0.1:80", "socket:[2]": "tcp 127.0.0.1:50051",
		"socket:[7]": "tcp [::1]:22", "socket:[8]": "tcp [::]:80", "socket:[4]": "udp 0.0.0.0:53",
		"socket:[11]": "unix /run/a b", "socket:[12]": "unix @x", "socket:[13]": "unixgram /run/log",
	}
	got := dir.Process(1).Listeners()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := dir.Process(2).Listeners(); len(slices.Collect(maps.Keys(got))) > 0 {
		t.Errorf("a process that has gone: %v", got)
	}
}
