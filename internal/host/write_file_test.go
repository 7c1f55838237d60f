package host_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

func TestWriteAndRemove(t *testing.T) {
	dir := t.TempDir()
	r := host.At(dir)
	if err := errors.Join(r.MkdirAll("/usr/lib/x", 0o755), os.Symlink("/usr/lib", dir+"/lib"),
		os.Symlink("/etc/passwd", dir+"/usr/lib/x/link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/lib/x/file", "/usr/lib/x/link"} { // a link is replaced
		if err := r.WriteFile(name, []byte("text"), 0o640); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(filepath.Join(dir, "usr/lib/x", filepath.Base(name)))
		if err != nil || info.Mode() != 0o640 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	var found []string
	err := r.Walk("/lib", func(name string, e fs.DirEntry) error {
		found = append(found, name)
		if info, err := e.Info(); err != nil || info.IsDir() != e.IsDir() {
			t.Errorf("%s: %v", name, err)
		}
		return nil
	})
	slices.Sort(found)
	if got := strings.Join(found, " "); err != nil || got != "/lib/x /lib/x/file /lib/x/link" {
		t.Errorf("found %s, %v", got, err)
	}
	err = r.Walk("/lib", func(string, fs.DirEntry) error { return fs.SkipDir })
	if err != nil {
		t.Error(err)
	}
	if err := r.Remove("/lib/x"); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("a directory with files in it: %v", err)
	}
	if err := errors.Join(r.Remove("/lib/x/file"), r.RemoveAll("/lib/x"), r.RemoveAll("/lib/x"),
		r.RemoveAll("/none/x")); err != nil {
		t.Error(err)
	}
	if err := r.Remove("/lib/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not there: %v", err)
	}
	if err := host.At(dir+"/none").MkdirAll("/x", 0o755); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a root that is not there: %v", err)
	}
}

// A file that is staged is seen when it is committed, and leaves nothing when it is not.
func TestStage(t *testing.T) {
	dir := t.TempDir()
	r := host.At(dir)
	for _, commit := range []bool{false, true} {
		staged, err := r.Stage("/file", []byte("text"), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Lstat("/file"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is there before it is committed: %v", err)
		}
		if commit {
			if err := staged.Commit(); err != nil {
				t.Error(err)
			}
		}
		staged.Discard()
		entries, err := r.ReadDir("/")
		if err != nil || (len(entries) == 1) != commit {
			t.Errorf("committed %t: %v, %v", commit, entries, err)
		}
	}
}

// A tree that is deeper than any service makes does not exhaust the stack or the descriptors.
func TestTooDeep(t *testing.T) {
	dir := t.TempDir()
	r := host.At(dir)
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 2000 {
		if err := unix.Mkdirat(at, "d", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, "d", unix.O_PATH|unix.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(at)
		at = next
	}
	_ = unix.Close(at)
	const want = "too many files or too deep"
	if err := r.RemoveAll("/d"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("removing: %v", err)
	}
	if err := r.Walk("/", func(string, fs.DirEntry) error { return nil }); err == nil ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("walking: %v", err)
	}
}
