package place_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// bones makes a root directory that looks like a system but cannot boot.
func bones(t *testing.T, files ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("ID=bones\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	library   = "usr/lib/systemd/libsystemd-shared-257.so"
	busSocket = "usr/lib/systemd/system/dbus.socket"
	busDaemon = "usr/bin/dbus-daemon"
	release   = "usr/lib/os-release"
	initial   = "usr/lib/systemd/systemd"
)

func TestContainerRefuses(t *testing.T) {
	if unix.Geteuid() != 0 {
		_, err := place.Container(t.Context(), place.Options{})
		if err == nil || !strings.Contains(hint.Of(err), "sudo") {
			t.Errorf("without root: %v; hint: %q", err, hint.Of(err))
		}
		return
	}
	file := filepath.Join(bones(t, "disk.raw"), "disk.raw")
	for _, tc := range []struct {
		name, want, hint string
		options          place.Options
	}{
		{"no such image", "no such file", "", place.Options{Image: "/none"}},
		{"a file", "want the root directory", "systemd-dissect", place.Options{Image: file}},
		{"no systemd", "systemd is not installed", "package systemd", place.Options{Image: bones(t)}},
		{"no socket", "D-Bus is not installed", "package dbus", place.Options{Image: bones(t, library, busDaemon)}},
		{"no daemon", "D-Bus is not installed", "package dbus", place.Options{Image: bones(t, library, busSocket)}},
		{"bad id", "lower-case", "", place.Options{ID: "A b"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused(t, tc.options, tc.want, tc.hint)
		})
	}
	t.Run("no nspawn", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		refused(t, place.Options{}, "systemd-nspawn is not installed", "systemd-container")
	})
}

// refused checks that a place does not boot, with which error, and that it leaves nothing behind.
func refused(t *testing.T, o place.Options, want, advice string) {
	t.Helper()
	before := readMachine(t, os.Getpid())
	p, err := place.Container(t.Context(), o)
	if err == nil {
		p.Close()
		t.Fatal("it came up")
	}
	if !strings.Contains(err.Error(), want) || !strings.Contains(hint.Of(err), advice) || advice == "" &&
		hint.Of(err) != "" {
		t.Errorf("%v\nhint: %q\nwant %q with hint %q", err, hint.Of(err), want, advice)
	}
	if after := readMachine(t, os.Getpid()); len(after.Groups) > len(before.Groups) ||
		len(after.Mounts) > len(before.Mounts) {
		t.Errorf("left behind: %+v", after)
	}
}

func TestSystemdDoesNotBoot(t *testing.T) {
	trixie := testroot.Path(t, "trixie")
	unit := func(name, text string) place.File {
		return place.File{Name: "/etc/systemd/system/" + name, Data: []byte(text)}
	}
	for _, tc := range []struct {
		name, want string
		options    place.Options
	}{
		{"not an operating system", "os-release", place.Options{Image: bones(t, library, busSocket, busDaemon)}},
		{
			"an init that is none", "systemd-nspawn: exit status",
			place.Options{Image: bones(t, library, busSocket, busDaemon, release, initial)},
		},
		{"a unit that fails", "bad.service", place.Options{Image: trixie, Unit: "bad.service", Files: []place.File{
			unit("bad.service", "[Unit]\nWants=dbus.service\nAfter=dbus.service\n[Service]\nType=oneshot\n"+
				"ExecStart=false\n"),
		}}},
		{
			"a unit that never ends", "did not come up within 1.5s",
			place.Options{Image: trixie, Timeout: 1500 * time.Millisecond, Files: []place.File{
				unit("temper-place.target.d/x.conf", "[Unit]\nRequires=slow.service\nAfter=slow.service\n"),
				unit("slow.service", "[Service]\nType=oneshot\nExecStart=sleep 1000\n"),
			}},
		},
		{
			"a socket that is masked", "dbus.socket is masked",
			place.Options{Image: trixie, Args: []string{"systemd.mask=dbus.socket"}},
		},
		{
			"a bus that does not start", "its D-Bus",
			place.Options{Image: trixie, Timeout: 2500 * time.Millisecond, Files: []place.File{
				unit("dbus.service.d/x.conf", "[Service]\nExecStart=\nExecStart=sleep 1000\n"),
			}},
		},
		{"it shuts down", "shut down", place.Options{Image: trixie, Unit: "poweroff.target"}},
		{"unknown unit", "nowhere.target", place.Options{Image: trixie, Unit: "nowhere.target"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused(t, tc.options, tc.want, "systemd-nspawn --volatile=overlay")
		})
	}
}

// The path of an image may contain every character that has a meaning in a mount option or a unit.
func TestSystemdAwkwardPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a:b,c=d\e "f" 'g' %i $HOME é`+"\n")
	if err := os.Symlink(testroot.Path(t, "bookworm"), dir); err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(t.TempDir(), `x:y,z\w 50%`)
	if err := os.Mkdir(real, 0o755); err != nil {
		t.Fatal(err)
	}
	// A separate file system in the image is part of the copy.
	if err := unix.Mount(testroot.Path(t, "bookworm"), real, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(real, unix.MNT_DETACH) }()
	if err := unix.Mount("tmpfs", real+"/opt", "tmpfs", unix.MS_NOEXEC, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(real+"/opt/kept", []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chmod(real+"/opt", 0o2750); err != nil {
		t.Fatal(err)
	}
	output(t, container(t, place.Options{Image: dir}), "true")
	p := container(t, place.Options{Image: real})
	if got := output(t, p, "cat /opt/kept; echo new >/srv/kept; stat -c ' %a' /opt; grep -c ' /opt .*noexec' "+
		"/proc/self/mountinfo"); got != "kept 2750\n1\n" {
		t.Errorf("the file system below the image: %q", got)
	}
	if got, _ := os.ReadFile(real + "/opt/kept"); string(got) != "kept" {
		t.Errorf("the original now says %q", got)
	}
}
