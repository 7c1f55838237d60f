package host_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

// TestReadFileInRoot reads through links as they are inside a root, and nothing that is no regular file.
func TestReadFileInRoot(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	write(outside, "not this")
	write(filepath.Join(dir, "usr/lib/x"), "inside")
	write(filepath.Join(dir, "empty"), "")
	write(filepath.Join(dir, "large"), strings.Repeat("x", host.MaxFile+1))
	link("usr/lib", "lib")
	link("/usr/lib/x", "absolute")
	link("../../../../usr/lib/x", "upwards")
	link(outside, "escape")
	link("loop", "loop")
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := host.At(dir)
	for _, name := range []string{"/usr/lib/x", "usr/lib/x", "/lib/x", "/absolute", "/upwards", "/../../usr/lib/x"} {
		if data, err := r.ReadFile(name); err != nil || string(data) != "inside" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if data, err := r.ReadFile("/empty"); err != nil || len(data) != 0 {
		t.Errorf("empty: %q, %v", data, err)
	}
	for name, want := range map[string]string{
		"/missing": "open /missing: no such file or directory",
		"/escape":  "open /escape: no such file or directory",
		"/loop":    "open /loop: too many levels of symbolic links",
		"/fifo":    "/fifo: is a FIFO, want a regular file",
		"/usr":     "/usr: is a directory, want a regular file",
		"/large":   "/large: has 4194305 bytes, want at most 4194304",
	} {
		if data, err := r.ReadFile(name); err == nil || err.Error() != want {
			t.Errorf("%s: %d bytes, %v, want %s", name, len(data), err, want)
		}
	}
	if _, err := r.ReadFile("/missing"); !os.IsNotExist(err) {
		t.Errorf("%v does not wrap %v", err, fs.ErrNotExist)
	}
	if _, err := host.At(dir + "/none").ReadFile("/x"); !os.IsNotExist(err) {
		t.Errorf("%v: a root that is not there has no files", err)
	}
}
