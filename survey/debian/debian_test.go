package debian

import (
	"bufio"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

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

// TestRemoveLeftovers: the layers of killed processes go, those of living ones stay.
func TestRemoveLeftovers(t *testing.T) {
	scratch := t.TempDir()
	make := func(name string) (unlock func()) {
		if err := os.MkdirAll(filepath.Join(scratch, layerPrefix+name, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		unlock, err := lock(filepath.Join(scratch, layerPrefix+name+".lock"), unix.LOCK_EX)
		if err != nil {
			t.Fatal(err)
		}
		return unlock
	}
	make("dead")()
	defer make("alive")()
	if err := RemoveLeftovers(scratch); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(scratch)
	if err != nil || len(entries) != 2 || entries[0].Name() != layerPrefix+"alive" {
		t.Errorf("%v, left %v", err, entries)
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
