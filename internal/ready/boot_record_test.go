package ready_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/ready"
	"temper/internal/testroot"
)

func record() ready.Record {
	return ready.Record{
		Inputs: []ready.Input{
			{Kind: ready.Kernel},
			{Kind: ready.File, Path: "/etc/a"},
			{Kind: ready.Names, Path: "/etc"},
		},
		States:   [][]byte{[]byte("6.12"), []byte("!2"), {}},
		Patterns: []string{"a.service", "*.service"},
		Dropins:  []ready.Dropin{{Unit: "a.service", Text: []byte("[Service]\n")}},
	}
}

// FuzzParse: whatever lies there instead of a record, it is told apart or it says what it says, and what it says can be
// stored.
func FuzzParse(f *testing.F) {
	r := record()
	data := r.Bytes()
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Add([]byte("temper ready 5\n\xff\xff\xff\xff"))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, ok := ready.Parse(data)
		if ok && !bytes.Equal(r.Bytes(), data) {
			t.Errorf("%q was read as %q", data, r.Bytes())
		}
	})
}

// FuzzHolds: a record of anything neither panics nor waits, and does not hold where something else is the case.
func FuzzHolds(f *testing.F) {
	f.Add("f", "/etc/a", []byte("!2"))
	f.Add("n", "/etc", []byte("d"))
	f.Add("d", "*", []byte(""))
	f.Add("l", "/fifo", []byte("!22"))
	f.Add("s", "../../../..", []byte("x"))
	root := f.TempDir()
	if err := unix.Mkfifo(filepath.Join(root, "fifo"), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind, path string, state []byte) {
		if kind == "" {
			return
		}
		r := ready.Record{Inputs: []ready.Input{{Kind: ready.Kind(kind[0]), Path: path}}, States: [][]byte{state}}
		holds := r.Holds(root)
		if r.ReadStates(root); holds && !bytes.Equal(r.States[0], state) {
			t.Errorf("%q of %q holds, but is %q", state, path, r.States[0])
		}
	})
}

// A file whose time of change comes from a clock is not read again; one of an image, whose makers gave all files one
// time in whole seconds, is.
func TestStamps(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "a")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	r := ready.Record{Inputs: []ready.Input{{Kind: ready.File, Path: "/a"}}}
	if !r.ReadStates(root) || !r.Holds(root) {
		t.Fatalf("the states are %q, and do not hold", r.States)
	}
	time.Sleep(20 * time.Millisecond) // the clock of file times is coarse
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	write("two")
	// The times that a program can set are those of before.
	if err := os.Chtimes(file, time.Time{}, time.Unix(st.Mtim.Unix())); err != nil {
		t.Fatal(err)
	}
	if r.Holds(root) {
		t.Error("other content under the old time of modification goes unnoticed")
	}
}

// A file system with times in whole seconds, as those of images have, is looked at by content.
func TestImageTimes(t *testing.T) {
	testroot.NeedFor(t, "mount file systems")
	root := t.TempDir()
	image := func(text string) {
		t.Helper()
		_ = unix.Unmount(root, unix.MNT_DETACH)
		mountImage(t, root, text)
	}
	image("one")
	r := ready.Record{Inputs: []ready.Input{{Kind: ready.File, Path: "/a"}, {Kind: ready.Names, Path: "/"}}}
	if !r.ReadStates(root) || !r.Holds(root) {
		t.Fatalf("the states are %q, and do not hold", r.States)
	}
	image("one")
	if !r.Holds(root) {
		t.Error("the same image does not hold")
	}
	image("two")
	if r.Holds(root) {
		t.Error("another image with the same times holds")
	}
}

// mountImage mounts a file system with times in whole seconds that has one file, a.
func mountImage(t *testing.T, at, text string) {
	t.Helper()
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	script := `truncate -s 1M "$1"; mke2fs -q -t ext2 -I 128 -d "$2" "$1"; debugfs -w -R "sif a ctime 20250101" "$1"; debugfs -w -R "sif a mtime 20250101" "$1"; mount -o loop,ro "$1" "$3"`
	if out, err := exec.Command("sh", "-ec", script, "sh", image, dir, at).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
}

// A directory on an overlay has the times of its uppermost layer: an extension image or an update below adds an entry
// and changes none of them.
func TestOverlay(t *testing.T) {
	testroot.NeedFor(t, "mount an overlay")
	top, root := t.TempDir(), t.TempDir()
	if err := unix.Mount("tmpfs", top, "tmpfs", 0, ""); err != nil { // which an overlay takes, wherever the tests run
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(top, unix.MNT_DETACH) })
	for _, dir := range []string{"image/a.service.d", "extension/a.service.d", "upper/a.service.d", "work"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(top, "image/a.service.d/1.conf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mount := func(lower string) {
		t.Helper()
		_ = unix.Unmount(root, unix.MNT_DETACH)
		options := "lowerdir=" + lower + ",upperdir=" + top + "/upper,workdir=" + top + "/work"
		if err := unix.Mount("overlay", root, "overlay", 0, options); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	r := ready.Record{Inputs: []ready.Input{
		{Kind: ready.Names, Path: "/a.service.d"},
		{Kind: ready.File, Path: "/a.service.d/1.conf"},
	}}
	mount(top + "/image")
	if !r.ReadStates(root) || !r.Holds(root) {
		t.Fatalf("the states are %q, and do not hold", r.States)
	}
	mount(top + "/image")
	if !r.Holds(root) {
		t.Error("the same layers do not hold")
	}
	time.Sleep(20 * time.Millisecond)
	if err := os.WriteFile(filepath.Join(top, "extension/a.service.d/2.conf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mount(top + "/extension:" + top + "/image")
	if r.Holds(root) {
		t.Error("a drop-in that an extension brings goes unnoticed")
	}
	if err := os.WriteFile(filepath.Join(top, "image/a.service.d/3.conf"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	mount(top + "/image")
	if r.Holds(root) {
		t.Error("a drop-in that an update of the image brings goes unnoticed")
	}
}

// TestCommandLineWithoutDescriptors: what cannot be read is not an empty command line.
func TestCommandLineWithoutDescriptors(t *testing.T) {
	if _, err := ready.CommandLine(""); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := unix.Rlimit{Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	line, err := ready.CommandLine("")
	if restored := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); restored != nil {
		t.Fatal(restored)
	}
	if !errors.Is(err, unix.EMFILE) {
		t.Errorf("%q, %v", line, err)
	}
}
