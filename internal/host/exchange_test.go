package host_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
)

const secret = "this is of the machine"

// outside makes a directory that no root may reach, and returns what it looks like at any later moment.
func outside(t *testing.T, dir string) (look func() string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(dir+"/sub/deep", 0o755), os.WriteFile(dir+"/file", []byte(secret), 0o644),
		os.WriteFile(dir+"/sub/file", []byte(secret), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", dir+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for conn, err := listener.Accept(); err == nil; conn, err = listener.Accept() {
			t.Error("somebody connected to the machine's socket")
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return func() string {
		var b strings.Builder
		err := filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
			var st unix.Stat_t
			err = errors.Join(err, unix.Lstat(name, &st))
			fmt.Fprintln(&b, name, st.Mode, st.Uid, st.Size, st.Ctim)
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return b.String()
	}
}

// exchange swaps two names until the test ends, and counts.
func exchange(t *testing.T, one, other string, swaps *atomic.Int64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if unix.Renameat2(unix.AT_FDCWD, one, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE) == nil {
				swaps.Add(1)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
}

// Somebody who owns a tree exchanges a directory of it for a link that leads out, 100,000 times, while it is read,
// written and removed: nothing outside is read or changed.
func TestExchange(t *testing.T) {
	const wanted = 100_000
	for name, target := range map[string]func(string) string{
		"an absolute link": func(dir string) string { return dir },
		"a relative link":  func(dir string) string { return "../../../../../../../../../../../.." + dir },
	} {
		t.Run(name, func(t *testing.T) {
			machine, tree := filepath.Join(t.TempDir(), "machine"), t.TempDir()
			look := outside(t, machine)
			err := errors.Join(os.MkdirAll(tree+"/busy/d", 0o755), os.Symlink(target(machine), tree+"/busy/link"))
			if err != nil {
				t.Fatal(err)
			}
			before := look()
			var swaps atomic.Int64
			exchange(t, tree+"/busy/d", tree+"/busy/link", &swaps)
			r := host.At(tree)
			rounds, worked := 0, 0
			for ; swaps.Load() < wanted || rounds < 1000; rounds++ {
				if round(t, r) {
					worked++
				}
			}
			if after := look(); after != before {
				t.Errorf("outside it was\n%s and is\n%s", before, after)
			}
			t.Logf("%d exchanges, %d rounds, in %d of which a file was written", swaps.Load(), rounds, worked)
			if worked == 0 {
				t.Error("nothing was ever written, so nothing was tried")
			}
		})
	}
}

// round does everything once that a root can do, and reports whether a file was written.
func round(t *testing.T, r host.Root) bool {
	t.Helper()
	wrote := r.WriteFile("/busy/d/file", []byte("inside"), 0o600) == nil
	_ = r.MkdirAll("/busy/d/sub/deep", 0o700)
	_ = r.WriteFile("/busy/d/sub/file", []byte("inside"), 0o600)
	for _, name := range []string{"/busy/d/file", "/busy/d/sub/file", "/busy/link/file"} {
		if data, err := r.ReadFile(name); err == nil && string(data) == secret {
			t.Fatalf("%s has %q", name, data)
		}
		if file, err := r.Open(name); err == nil {
			if data, _ := io.ReadAll(file); string(data) == secret {
				t.Fatalf("%s has %q", name, data)
			}
			_ = file.Close()
		}
	}
	_ = r.Walk("/busy", func(name string, _ fs.DirEntry) error {
		if strings.HasSuffix(name, "/socket") {
			t.Fatalf("the walk came to %s, which is only outside", name)
		}
		return nil
	})
	if file, err := r.Socket("/busy/d/socket"); err == nil {
		t.Fatalf("%s was found, which is only outside", file.Name())
	}
	_ = r.Remove("/busy/d/file")
	_ = r.RemoveAll("/busy/d/sub")
	_ = r.Remove("/busy/link/file")
	_ = r.RemoveAll("/busy/link/sub")
	return wrote
}

// A directory is removed in which names are exchanged meanwhile.
func TestRemoveAllWhileExchanged(t *testing.T) {
	machine, tree := filepath.Join(t.TempDir(), "machine"), t.TempDir()
	look := outside(t, machine)
	before := look()
	var swaps atomic.Int64
	exchange(t, tree+"/busy/a/d", tree+"/busy/a/link", &swaps)
	r := host.At(tree)
	for range 500 {
		_ = r.MkdirAll("/busy/a/d/sub/deep", 0o755) // not by names of this machine, which lead out
		_ = r.WriteFile("/busy/a/d/sub/file", nil, 0o644)
		_ = os.Symlink(machine, tree+"/busy/a/link")
		err := r.RemoveAll("/busy")
		// it was exchanged, or made again
		for _, meanwhile := range []error{unix.ENOTEMPTY, unix.ENOTDIR, unix.EISDIR} {
			if errors.Is(err, meanwhile) {
				err = nil
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if after := look(); after != before {
		t.Errorf("outside it was\n%s and is\n%s", before, after)
	}
}

// What is there instead of a file or a socket is an error at once.
func TestOnlyWhatWasAskedFor(t *testing.T) {
	machine, tree := filepath.Join(t.TempDir(), "machine"), t.TempDir()
	outside(t, machine)
	inside, err := net.Listen("unix", tree+"/real.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	err = errors.Join(
		unix.Mkfifo(tree+"/fifo", 0o666),
		os.Symlink(machine+"/socket", tree+"/bus"),
		os.Symlink("fifo", tree+"/to-fifo"),
		os.Symlink("/real.sock", tree+"/to-socket"),
		os.WriteFile(tree+"/file", nil, 0o644),
	)
	if err != nil {
		t.Fatal(err)
	}
	r := host.At(tree)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, name := range []string{"/fifo", "/to-fifo", "/real.sock", "/bus", "/"} {
			if _, err := r.ReadFile(name); err == nil {
				t.Errorf("%s was read", name)
			}
			if _, err := r.Open(name); err == nil {
				t.Errorf("%s was opened", name)
			}
		}
		for _, name := range []string{"/bus", "/fifo", "/file", "/missing"} {
			if _, err := r.Socket(name); err == nil {
				t.Errorf("%s passes for a socket", name)
			}
		}
		if err := r.WriteFile("/fifo", []byte("x"), 0o644); err != nil {
			t.Error(err)
		}
		if data, err := r.ReadFile("/fifo"); err != nil || string(data) != "x" {
			t.Errorf("what replaces a FIFO is %q, %v", data, err)
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("something waits for a FIFO")
	}
	file, err := r.Socket("/to-socket")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	conn, err := net.Dial("unix", host.Descriptor(file))
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
