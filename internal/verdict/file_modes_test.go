package verdict_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
)

func mode(t *testing.T, name string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func write(t *testing.T, name string, dir, file fs.FileMode) {
	t.Helper()
	parent := filepath.Dir(name)
	err := errors.Join(os.MkdirAll(parent, 0o755), os.Chmod(parent, dir), os.WriteFile(name, []byte("{}"), file))
	if err != nil {
		t.Fatal(err)
	}
}

// TestPutIsPrivate: what services log is for the owner alone, in new files and in those that were there before.
func TestPutIsPrivate(t *testing.T) {
	root := t.TempDir()
	store := verdict.Store{Root: host.At(root)}
	verdicts, trials := root+verdict.Dirs[0], root+verdict.LogDir
	write(t, verdicts+"/old.service.json", 0o755, 0o644)
	write(t, trials+"/old.service.json", 0o755, 0o644)
	write(t, verdicts+"/boot/ready", 0o755, 0o644)
	log := []verdict.Trial{{Log: []string{"password"}}}
	if err := store.PutProof(verdict.Verdict{Unit: "new.service"}, log); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{
		verdicts: 0o700, trials: 0o700, filepath.Dir(trials): 0o755, filepath.Dir(verdicts): 0o755,
		verdicts + "/old.service.json": 0o600, trials + "/old.service.json": 0o600,
		verdicts + "/new.service.json": 0o600, trials + "/new.service.json": 0o600,
	} {
		if got := mode(t, name); got != want {
			t.Errorf("%s has mode %o, want %o", name, got, want)
		}
	}
	if units, err := store.Units(); err != nil || len(units) != 2 {
		t.Errorf("units %q, %v", units, err)
	}
}

// TestProtect closes what an older version stored, without anything being stored.
func TestProtect(t *testing.T) {
	root := t.TempDir()
	store := verdict.Store{Root: host.At(root)}
	if err := store.Protect(); err != nil {
		t.Errorf("where nothing was stored: %v", err)
	}
	old := root + verdict.LogDir + "/old.service.json"
	write(t, old, 0o755, 0o644)
	link := filepath.Join(root, "elsewhere")
	write(t, link, 0o755, 0o644)
	if err := os.Symlink(link, root+verdict.LogDir+"/link.service.json"); err != nil {
		t.Fatal(err)
	}
	if err := store.Protect(); err != nil {
		t.Fatal(err)
	}
	if dir, file := mode(t, filepath.Dir(old)), mode(t, old); dir != 0o700 || file != 0o600 {
		t.Errorf("modes %o and %o", dir, file)
	}
	if got := mode(t, link); got != 0o644 {
		t.Errorf("what a link leads to has mode %o", got)
	}
}

// TestPutElsewhere: a directory that somebody has named stays as open as it is; the files in it are private all the
// same.
func TestPutElsewhere(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, named := range []string{dir, dir + "/made"} {
		store := verdict.Store{Dirs: []string{named}}
		if err := store.PutProof(verdict.Verdict{Unit: "a.service"}, nil); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]fs.FileMode{
			"a.service.json": 0o600, "trials": 0o700, "trials/a.service.json": 0o600,
		} {
			if got := mode(t, filepath.Join(named, name)); got != want {
				t.Errorf("%s has mode %o, want %o", name, got, want)
			}
		}
	}
	if given, made := mode(t, dir), mode(t, dir+"/made"); given != 0o755 || made != 0o700 {
		t.Errorf("a directory that was there has mode %o, one that was made %o", given, made)
	}
}

// TestPutPlanted: what another user has made in the place of the logs closes nothing of anybody else.
func TestPutPlanted(t *testing.T) {
	testroot.NeedFor(t, "make files of another user")
	const theirs = 65534
	program := filepath.Join(t.TempDir(), "bin", "program")
	write(t, program, 0o755, 0o755)
	dir := filepath.Join(t.TempDir(), "kept")
	link := filepath.Join(dir, "trials")
	err := errors.Join(os.Mkdir(dir, 0o755), os.Symlink(filepath.Dir(program), link), os.Lchown(link, theirs, theirs),
		os.Chown(dir, theirs, theirs))
	if err != nil {
		t.Fatal(err)
	}
	if err := (verdict.Store{Dirs: []string{dir}}).PutProof(verdict.Verdict{Unit: "a.service"}, nil); err == nil {
		t.Error("the logs went to where the link leads")
	}
	if dir, file := mode(t, filepath.Dir(program)), mode(t, program); dir != 0o755 || file != 0o755 {
		t.Errorf("a directory of programs has mode %o, and a program %o", dir, file)
	}
}

// TestReadable: whoever may not read verdicts is told so, not that there are none.
func TestReadable(t *testing.T) {
	testroot.NeedFor(t, "be another user for a moment")
	root := t.TempDir()
	for dir := root; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	store := verdict.Store{Root: host.At(root)}
	if err := store.Readable(); err != nil {
		t.Errorf("where nothing was stored: %v", err)
	}
	if err := store.Put(verdict.Verdict{Unit: "a.service"}); err != nil {
		t.Fatal(err)
	}
	if err := store.Readable(); err != nil {
		t.Errorf("root: %v", err)
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		_, err := unix.SetfsuidRetUid(65534)
		done <- errors.Join(err, store.Readable())
	}()
	if err := <-done; !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user: %v", err)
	}
}

// TestUnlisted: verdicts that cannot be listed are an error, and so is a directory that somebody has named and that is
// not there. The default ones need not be there.
func TestUnlisted(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	write(t, root+verdict.Dirs[0], 0o755, 0o644)
	write(t, dir+"/file", 0o755, 0o644)
	for _, tc := range []struct {
		name  string
		store verdict.Store
		want  error
	}{
		{"nothing", verdict.Store{Root: host.At(dir)}, nil},
		{"no verdict of this machine", verdict.Store{Root: host.At(dir)}.Own(), nil},
		{"a file", verdict.Store{Root: host.At(root)}, unix.ENOTDIR},
		{"a typing error", verdict.Store{Dirs: []string{dir + "/nowhere"}}, fs.ErrNotExist},
		{"a file that was named", verdict.Store{Dirs: []string{dir + "/file"}}, unix.ENOTDIR},
	} {
		_, err := tc.store.Units()
		if readable := tc.store.Readable(); !errors.Is(err, tc.want) || !errors.Is(readable, tc.want) {
			t.Errorf("%s: %v, %v; want %v", tc.name, err, readable, tc.want)
		}
	}
}
