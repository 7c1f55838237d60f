package debian

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/testroot"
)

func TestReadPolicy(t *testing.T) {
	const text = `nginx:
  Installed: (none)
  Candidate: 1.26.3-3+deb13u1
  Version table:
     1.26.3-3+deb13u1 500
        500 http://deb.debian.org/debian trixie/main amd64 Packages
removed:
  Installed: (none)
  Candidate: (none)
  Version table:
chrony:
  Installed: (none)
  Candidate: 4.6.1-3
`
	got := map[string]string{}
	readPolicy(text, got)
	if want := map[string]string{"nginx": "1.26.3-3+deb13u1", "chrony": "4.6.1-3"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestServicesIn(t *testing.T) {
	const text = `lib/systemd/system/old.service                      admin/old
usr/lib/systemd/system/chrony.service               net/chrony
usr/lib/systemd/system/two.service                  net/one,net/two
usr/lib/systemd/system/getty@.service               admin/getty
usr/lib/systemd/system/apt.timer                    admin/apt
usr/lib/systemd/system/x.service.d/y.conf           admin/x
usr/lib/systemd/user/pipewire.service               sound/pipewire
usr/share/doc/a file with blanks                    doc/a
broken
`
	got := servicesIn(bufio.NewScanner(strings.NewReader(text)))
	if want := []string{"old", "chrony", "one", "two"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// tree makes a tree of files; a name that ends in "->TARGET" is a link.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		name, target, isLink := strings.Cut(name, "->")
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		err := os.WriteFile(name, []byte(text), 0o644)
		if isLink {
			err = errors.Join(os.Remove(name), os.Symlink(target, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestUnits: templates, aliases, masks and units of other types are not proven, nor what another package ships.
func TestUnits(t *testing.T) {
	const dir = "/usr/lib/systemd/system/"
	l := &Layer{Tree: tree(t, map[string]string{
		dir + "web.service": "[Service]\n", dir + "web@.service": "[Service]\n", dir + "web.timer": "[Timer]\n",
		dir + "httpd.service->web.service": "", dir + "off.service": "", dir + "other.service": "[Service]\n",
		"/usr/lib/systemd/user/web.service": "[Service]\n",
		"/var/lib/dpkg/info/web.list": strings.Join([]string{
			"/.", dir + "web.service", dir + "web@.service", dir + "web.timer", dir + "httpd.service",
			dir + "off.service", dir + "gone.service", "/usr/lib/systemd/user/web.service",
		}, "\n") + "\n",
		"/var/lib/dpkg/info/multi:amd64.list": dir + "other.service\n",
	})}
	for pkg, want := range map[string]string{"web": "web.service", "multi": "other.service"} {
		if got, err := l.Units(pkg); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: %v, %q, want %q", pkg, err, got, want)
		}
	}
	if _, err := l.Units("none"); err == nil {
		t.Error("a package that is not installed has units")
	}
}

// TestRemoveLeftovers: the layers of killed processes go, those of living ones stay, and what others have made.
func TestRemoveLeftovers(t *testing.T) {
	testroot.NeedFor(t, "make files of another user")
	scratch, elsewhere := t.TempDir(), tree(t, map[string]string{lockName: "", "file": ""})
	base := Base{Tree: tree(t, map[string]string{"etc/hostname": "base\n"})}
	layer := func() *Layer {
		l, err := base.Layer(t.Context(), scratch)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	dead, alive, theirs := layer(), layer(), layer()
	dead.unlock()
	theirs.unlock()
	link := filepath.Join(scratch, layerPrefix+"link")
	if err := errors.Join(os.Chown(theirs.Dir, 65534, 65534), os.Symlink(elsewhere, link)); err != nil {
		t.Fatal(err)
	}
	if err := RemoveLeftovers(scratch); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		dead.Dir: false, alive.Tree + "/etc/hostname": true, theirs.Tree: true, link: true, elsewhere + "/file": true,
	} {
		if _, err := os.Lstat(name); (err == nil) != want {
			t.Errorf("%s: there is %v, want %v", name, err == nil, want)
		}
	}
	if err := alive.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(alive.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a closed layer: %v", err)
	}
}

// TestLayerIsPrivate: nobody else can enter what a survey makes in a directory for everybody, nor make a name that it
// uses.
func TestLayerIsPrivate(t *testing.T) {
	scratch := t.TempDir()
	if err := os.Chmod(scratch, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	base := Base{Tree: tree(t, map[string]string{"etc/hostname": "base\n"})}
	l, err := base.Layer(t.Context(), scratch)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	entries, err := os.ReadDir(scratch)
	if err != nil || len(entries) != 1 || filepath.Join(scratch, entries[0].Name()) != l.Dir {
		t.Errorf("%v, %v, want %s alone", err, entries, l.Dir)
	}
	if !host.Below(l.Dir, l.Tree) {
		t.Errorf("the tree is %s, want it in %s", l.Tree, l.Dir)
	}
	for name, want := range map[string]fs.FileMode{l.Dir: 0o700, l.Tree: 0o755} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o: %v", name, info.Mode().Perm(), want, err)
		}
	}
}

// TestCache: only its owner can enter a cache, one that an older temper has made too; nothing else is closed.
func TestCache(t *testing.T) {
	testroot.NeedFor(t, "make files of another user")
	for name, c := range map[string]struct {
		prepare func(cache string) error
		want    fs.FileMode
		fails   string
	}{
		"new": {want: 0o700},
		"older": {want: 0o700, prepare: func(cache string) error {
			return errors.Join(os.MkdirAll(cache+"/trixie-02d6209f", 0o755),
				os.WriteFile(cache+"/.trixie.lock", nil, 0o644))
		}},
		"with other files": {want: 0o755, fails: "has other", prepare: func(cache string) error {
			return os.MkdirAll(cache+"/other", 0o755)
		}},
		"private with other files": {want: 0o700, prepare: func(cache string) error {
			return errors.Join(os.MkdirAll(cache+"/other", 0o755), os.Chmod(cache, 0o700))
		}},
		"for everybody": {want: 0o777, fails: "others can write it", prepare: func(cache string) error {
			return errors.Join(os.Mkdir(cache, 0o755), os.Chmod(cache, 0o777|fs.ModeSticky))
		}},
		"of another user": {want: 0o700, fails: "belongs to user 65534", prepare: func(cache string) error {
			return errors.Join(os.Mkdir(cache, 0o700), os.Chown(cache, 65534, 65534))
		}},
		"a link": {want: 0o755, fails: "is a link", prepare: func(cache string) error {
			return errors.Join(os.Mkdir(cache+".real", 0o755), os.Symlink(cache+".real", cache))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "survey")
			if c.prepare != nil {
				if err := c.prepare(cache); err != nil {
					t.Fatal(err)
				}
			}
			err := makeCache(cache)
			if (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("the error is %v, want %q", err, c.fails)
			}
			if info, err := os.Stat(cache); err != nil || info.Mode().Perm() != c.want {
				t.Errorf("the mode is %o, want %o: %v", info.Mode().Perm(), c.want, err)
			}
		})
	}
}

// TestOpenWaits: whoever waits for another survey to make a base tree stops waiting with his context, also where
// somebody only shares the lock.
func TestOpenWaits(t *testing.T) {
	cache := t.TempDir()
	unlock, err := host.Root{}.LockShared(t.Context(), filepath.Join(cache, ".trixie.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Open(ctx, cache, "trixie", io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the wait ends with %v", err)
	}
}

// TestScriptsKeepOut: what runs in a tree sets no variable of the machine's kernel, nor its name.
func TestScriptsKeepOut(t *testing.T) {
	tree, over := testroot.Path(t, "trixie"), t.TempDir()
	options := "lowerdir=" + tree
	for _, dir := range []string{"upperdir", "workdir", "merged"} {
		if err := os.Mkdir(filepath.Join(over, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if dir != "merged" {
			options += "," + dir + "=" + filepath.Join(over, dir)
		}
	}
	merged := filepath.Join(over, "merged")
	if err := unix.Mount("overlay", merged, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(merged, unix.MNT_DETACH) }()
	before, _ := os.Hostname()
	for _, line := range []string{
		"cat /proc/sys/kernel/domainname >/proc/sys/kernel/domainname", "echo >/proc/sysrq-trigger",
	} {
		if _, err := run(t.Context(), merged, "sh", "-c", line); err == nil {
			t.Errorf("%s: no error", line)
		}
	}
	_, err := run(t.Context(), merged, "hostname", "temper-other")
	if after, _ := os.Hostname(); err != nil || after != before {
		t.Errorf("the name was %s and is %s: %v", before, after, err)
	}
}

// TestOutput: a command that fails tells its last lines, and one that is killed only that.
func TestOutput(t *testing.T) {
	_, err := output(t.Context(), exec.Command("sh", "-c", "echo one; echo; echo two >&2; exit 3"), "x")
	if f, ok := errors.AsType[*Failed](err); !ok || strings.Join(f.Log, "|") != "one|two" || err.Error() != "x: two" {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := output(ctx, exec.CommandContext(ctx, "sleep", "9"), "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if out, err := output(t.Context(), exec.Command("echo", "fine"), "x"); err != nil || out != "fine\n" {
		t.Errorf("%v, %q", err, out)
	}
}

// TestOpenRefuses: the name of a suite is no path and no option.
func TestOpenRefuses(t *testing.T) {
	for _, suite := range []string{"", "../etc", "--include=x", "a b"} {
		if _, err := Open(t.Context(), t.TempDir(), suite, os.Stderr); err == nil {
			t.Errorf("%q is a suite", suite)
		}
	}
}
