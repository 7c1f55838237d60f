package unit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/unit"
)

func plantOne(t testing.TB, root, name, text string) {
	t.Helper()
	full := filepath.Join(root, name)
	mkdir(t, filepath.Dir(full))
	var err error
	switch target, isLink := strings.CutPrefix(text, "-> "); {
	case isLink:
		err = os.Symlink(target, full)
	case text == "fifo":
		err = unix.Mkfifo(full, 0o644)
	case text == "socket":
		err = unix.Mknod(full, unix.S_IFSOCK|0o644, 0)
	default:
		err = os.WriteFile(full, []byte(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestHostileTrees loads units where something that is no unit file stands in the way. None may hang or end the test.
func TestHostileTrees(t *testing.T) {
	const low = "/usr/lib/systemd/system/"
	const high = "/etc/systemd/system/"
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{
			"FIFO for a fragment",
			map[string]string{high + "x.service": "fifo"},
			"error: x.service: unit not found; /etc/systemd/system/x.service: is a FIFO, want a regular file or a " +
				"link to one: it is passed over\n",
		},
		{
			"FIFO above a fragment",
			map[string]string{high + "x.service": "fifo", low + "x.service": "[Unit]\n"},
			"id: x.service\nfragment: /usr/lib/systemd/system/x.service\n" +
				"problem: /etc/systemd/system/x.service: is a FIFO, want a regular file or a link to one: it is " +
				"passed over\n",
		},
		{
			"socket and directory",
			map[string]string{high + "x.service": "socket", "/run/systemd/system/x.service/y": "", low +
				"x.service": "[Unit]\n"},
			"id: x.service\nfragment: /usr/lib/systemd/system/x.service\n" +
				"problem: /etc/systemd/system/x.service: is a socket, want a regular file or a link to one: it is " +
				"passed over\n" +
				"problem: /run/systemd/system/x.service: is a directory, want a regular file or a link to one: it is " +
				"passed over\n",
		},
		{
			"link to a FIFO",
			map[string]string{"/srv/fifo": "fifo", high + "x.service": "-> /srv/fifo"},
			"error: x.service: /etc/systemd/system/x.service: is a FIFO, want a regular file\n",
		},
		{
			"link to a directory",
			map[string]string{"/srv/dir/x": "", high + "x.service": "-> /srv/dir"},
			"error: x.service: /etc/systemd/system/x.service: is a directory, want a regular file\n",
		},
		{
			"link to itself outside",
			map[string]string{"/srv/x": "-> x", high + "x.service": "-> /srv/x"},
			"error: x.service: /etc/systemd/system/x.service: too many levels of symbolic links\n",
		},
		{
			"drop-in FIFO, loop and directory",
			map[string]string{
				low + "x.service": "[Unit]\n", low + "x.service.d/a.conf": "fifo", low +
					"x.service.d/b.conf": "-> b.conf", low + "x.service.d/c.conf/d": "",
			},
			"id: x.service\nfragment: /usr/lib/systemd/system/x.service\n" +
				"dropin: /usr/lib/systemd/system/x.service.d/a.conf\n" +
				"dropin: /usr/lib/systemd/system/x.service.d/b.conf\n" +
				"dropin: /usr/lib/systemd/system/x.service.d/c.conf\n" +
				"problem: /usr/lib/systemd/system/x.service.d/a.conf: is a FIFO, want a regular file: the drop-in is " +
				"ignored\n" +
				"problem: /usr/lib/systemd/system/x.service.d/b.conf: too many levels of symbolic links: the drop-in " +
				"is ignored\n" +
				"problem: /usr/lib/systemd/system/x.service.d/c.conf: is a directory, want a regular file: the " +
				"drop-in is ignored\n",
		},
		{
			"file for a drop-in directory, and a loop",
			map[string]string{
				low + "x.service": "[Unit]\n", low + "x.service.d": "", high + "x.service.d": "-> x.service.d", high +
					"service.d": "-> /srv/none",
			},
			"id: x.service\nfragment: /usr/lib/systemd/system/x.service\n" +
				"problem: /etc/systemd/system/x.service.d: leads to x.service.d, want a directory: it is passed " +
				"over\n" +
				"problem: /etc/systemd/system/service.d: leads to /srv/none, want a directory: it is passed over\n",
		},
		{
			"file for a directory of the load path",
			map[string]string{low + "x.service": "[Unit]\n", "/etc/systemd/system": "no directory"},
			"id: x.service\nfragment: /usr/lib/systemd/system/x.service\n" +
				"problem: /etc/systemd/system: not a directory: units and drop-ins in it are not seen\n",
		},
		{
			"loop for a directory of the load path",
			map[string]string{low + "x.service": "[Unit]\n", "/etc/systemd/system": "-> system"},
			"id: x.service\nfragment: /usr/lib/systemd/system/x.service\n" +
				"problem: /etc/systemd/system: too many levels of symbolic links: units and drop-ins in it are not " +
				"seen\n",
		},
		{
			"links out of the root stay inside",
			map[string]string{
				high + "x.service": "-> ../../../../../../../../usr/lib/systemd/system/y.service", low +
					"y.service": "[Unit]\n",
			},
			"id: y.service\nalias: x.service\nfragment: /usr/lib/systemd/system/y.service\n",
		},
		{
			"mask in a root without devices",
			map[string]string{high + "x.service": "-> ../../../dev/null"},
			"id: x.service\nfragment: /etc/systemd/system/x.service\nmasked\n",
		},
		{
			"the load path is a link",
			map[string]string{
				"/etc/systemd": "-> /srv/etc", "/srv/etc/system/x.service": "[Unit]\n",
				"/srv/etc/system/y.service": "-> /srv/etc/system/x.service",
				"/srv/etc/system/z.service": "-> /etc/systemd/system/x.service",
			},
			"id: x.service\nalias: y.service\nalias: z.service\nfragment: /etc/systemd/system/x.service\n",
		},
		{
			"usrmerge counts once",
			map[string]string{
				"/lib": "-> usr/lib", low + "x.service": "[Unit]\nDescription=%y\n", low +
					"y.service": "-> /lib/systemd/system/x.service", low + "x.service.d/a.conf": "[Unit]\nA=1\n",
			},
			"id: x.service\nalias: y.service\nfragment: /usr/lib/systemd/system/x.service\n" +
				"dropin: /usr/lib/systemd/system/x.service.d/a.conf\n" +
				"/usr/lib/systemd/system/x.service:2: [Unit] Description=%y\n" +
				"/usr/lib/systemd/system/x.service.d/a.conf:2: [Unit] A=1\n",
		},
		{
			"two trees without usrmerge",
			map[string]string{"/lib/systemd/system/x.service": "[Unit]\nA=lib\n", low + "x.service": "[Unit]\nA=usr\n"},
			"id: x.service\nfragment: /lib/systemd/system/x.service\n/lib/systemd/system/x.service:2: [Unit] A=lib\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := &unit.Loader{Root: plant(t, tt.files)}
			if d := cmp.Diff(tt.want, describe(l.Load("x.service"))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			_, _ = l.List("") // must come back too
		})
	}
}

func TestListUnreadable(t *testing.T) {
	l := &unit.Loader{Root: plant(t, map[string]string{
		"/etc/systemd/system":               "",
		"/usr/lib/systemd/system/x.service": "",
	})}
	names, err := l.List(".service")
	if len(names) != 1 || err == nil || err.Error() != "/etc/systemd/system: not a directory: units and drop-ins in "+
		"it are not seen" {
		t.Errorf("List = %v, %v", names, err)
	}
}

// beNobody takes from this thread the rights of root over files, which may read everything.
func beNobody(t *testing.T, root string) {
	t.Helper()
	const nobody = 65534
	if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with the test
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = unix.SetfsuidRetUid(0) })    // for the clean-up of the files
	for dir := root; dir != "/"; dir = filepath.Dir(dir) { // what the test is about is the file
		if _, err := os.Stat(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnreadableFragment(t *testing.T) {
	root := plant(t, map[string]string{"/etc/systemd/system/x.service": "[Unit]\n"})
	if err := os.Chmod(root.Dir()+"/etc/systemd/system/x.service", 0); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		beNobody(t, root.Dir())
	}
	_, err := (&unit.Loader{Root: root}).Load("x.service")
	if err == nil || errors.Is(err, unit.ErrNotFound) {
		t.Errorf("err = %v, want one that says permission denied", err)
	}
}

// TestLoaderListsOnce takes the tree away after the first use: names and drop-in directories come from the listing.
func TestLoaderListsOnce(t *testing.T) {
	root := plant(t, map[string]string{
		"/etc/systemd/system/x.service": "[Unit]\n", "/etc/systemd/system/service.d/a.conf": "[Unit]\n",
		"/etc/systemd/system/y.service": "[Unit]\n",
	})
	l := &unit.Loader{Root: root}
	if _, err := l.Load("x.service"); err != nil {
		t.Fatal(err)
	}
	plantOne(t, root.Dir(), "/etc/systemd/system/late.service", "")
	plantOne(t, root.Dir(), "/etc/systemd/system/service.d/late.conf", "")
	if _, err := l.Load("late.service"); !errors.Is(err, unit.ErrNotFound) {
		t.Errorf("the load path was listed again: %v", err)
	}
	u, err := l.Load("y.service")
	if err != nil || len(u.Dropins) != 1 {
		t.Errorf("the drop-in directory was listed again: %v, %v", u, err)
	}
}

func TestLoaderConcurrently(t *testing.T) {
	root := plant(t, map[string]string{
		"/etc/systemd/system/x@.service":       "[Unit]\n",
		"/etc/systemd/system/service.d/a.conf": "[Unit]\n",
	})
	l := &unit.Loader{Root: root}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := l.Load(fmt.Sprintf("x@%d.service", i)); err != nil {
				t.Error(err)
			}
			if _, err := l.LoadFile("/etc/systemd/system/x@.service"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// many makes a root with n services, each with a drop-in, and an alias for every tenth.
func many(t testing.TB, n int) host.Root {
	t.Helper()
	root := t.TempDir()
	dir := root + "/usr/lib/systemd/system"
	mkdir(t, dir)
	plantOne(t, dir, "service.d/50-all.conf", "[Service]\nPrivateTmp=yes\n")
	for i := range n {
		name := fmt.Sprintf("unit-%d.service", i)
		plantOne(t, dir, name, "[Unit]\nDescription=x\n[Service]\nExecStart=/bin/true\nReadWritePaths=/a /b\n")
		plantOne(t, dir, name+".d/50-temper.conf", "[Service]\nProtectSystem=strict\nSystemCallFilter=~@mount\n")
		if i%10 == 0 {
			plantOne(t, dir, fmt.Sprintf("alias-%d.service", i), "-> "+name)
		}
	}
	return host.At(root)
}

func loadAll(t testing.TB, l *unit.Loader, n int) {
	names, err := l.List(".service")
	if err != nil || len(names) != n+n/10 {
		t.Fatalf("List: %d names, %v", len(names), err)
	}
	for _, name := range names {
		if u, err := l.Load(name); err != nil || len(u.Dropins) != 2 {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// TestLoadIsLinear compares what a unit costs among 200 and among 5,000.
func TestLoadIsLinear(t *testing.T) {
	cost := func(n int) float64 {
		path := []string{many(t, n).Dir() + "/usr/lib/systemd/system"}
		return testing.AllocsPerRun(1, func() { loadAll(t, &unit.Loader{Path: path}, n) }) / float64(n)
	}
	few, lots := cost(100), cost(1000)
	t.Logf("allocations a unit: %.1f of 100, %.1f of 1,000", few, lots)
	if lots > few*1.2 {
		t.Errorf("a unit costs %.1f allocations among 1,000, %.1f among 100", lots, few)
	}
}

func BenchmarkLoad(b *testing.B) {
	root := many(b, 150)
	for name, l := range map[string]func() *unit.Loader{
		"machine": func() *unit.Loader { return &unit.Loader{Path: []string{root.Dir() + "/usr/lib/systemd/system"}} },
		"root":    func() *unit.Loader { return &unit.Loader{Root: root} },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				loadAll(b, l(), 150)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := strings.Repeat("[Service]\nExecStart=/usr/bin/foo \\\n  --bar\n# comment\nPrivateTmp=yes\n", 10000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := unit.Parse("f", strings.NewReader(text)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestUnread: only what systemd may read counts as not read.
func TestUnread(t *testing.T) {
	const dropin = "/etc/systemd/system/x.service.d/a.conf"
	for what, unread := range map[string]bool{
		"fifo": false, "-> a.conf": false, "-> /nowhere": false, "[Service]\n": true,
	} {
		root := plant(t, map[string]string{"/etc/systemd/system/x.service": "[Unit]\n", dropin: what})
		if unread {
			if err := os.Truncate(root.Dir()+dropin, host.MaxFile+1); err != nil {
				t.Fatal(err)
			}
		}
		u, err := (&unit.Loader{Root: root}).Load("x.service")
		if err != nil || (u.Unread() != nil) != unread || len(u.Problems) == 0 {
			t.Errorf("%q: %v, unread %v, problems %v", what, err, u.Unread(), u.Problems)
		}
	}
}

// TestLoadEnds: loading ends with its context.
func TestLoadEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &unit.Loader{Root: plant(t, map[string]string{"/etc/systemd/system/x.service": "[Unit]\n"}), Context: ctx}
	if _, err := l.Load("x.service"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if u, err := l.Load("x.service"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", u, err)
	}
}
