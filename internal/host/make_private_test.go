package host_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"temper/internal/host"
	"temper/internal/testroot"
)

const theirs = 65534

// makeDir makes a directory with a file, one of another user, and a link to a file.
func makeDir(t *testing.T, dir string) {
	t.Helper()
	err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(dir+"/own", nil, 0o644),
		os.WriteFile(dir+"/theirs", nil, 0o644), os.Chown(dir+"/theirs", theirs, theirs),
		os.WriteFile(dir+".target", nil, 0o644), os.Symlink(dir+".target", dir+"/link"))
	if err != nil {
		t.Fatal(err)
	}
}

// modes are those of a directory and of what is in it, as makeDir has made it.
func modes(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	for _, name := range []string{"", "/own", "/theirs", "/link"} {
		info, err := os.Stat(dir + name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%o", info.Mode().Perm()))
	}
	return strings.Join(all, " ")
}

// TestMakePrivate: a directory and the files in it are closed, and nothing of anybody else, wherever a link leads.
func TestMakePrivate(t *testing.T) {
	testroot.NeedFor(t, "make files of another user")
	const open, closed = "755 644 644 644", "700 600 644 644"
	link := func(dir, elsewhere string) error { return errors.Join(os.RemoveAll(dir), os.Symlink(elsewhere, dir)) }
	for name, c := range map[string]struct {
		parent         fs.FileMode
		prepare        func(dir, elsewhere string) error
		fails          bool
		dir, elsewhere string // modes afterwards
	}{
		"its own":            {parent: 0o755, dir: closed, elsewhere: open},
		"of its own, linked": {parent: 0o755, prepare: link, dir: closed, elsewhere: closed},
		"linked where others can": {
			parent: fs.ModeSticky | 0o777, prepare: link, fails: true, dir: open, elsewhere: open,
		},
		"of another user": {
			parent: 0o755, fails: true, dir: open, elsewhere: open,
			prepare: func(dir, _ string) error { return os.Chown(dir, theirs, theirs) },
		},
		"private already": {
			parent: 0o755, dir: "700 644 644 644", elsewhere: open,
			prepare: func(dir, _ string) error { return os.Chmod(dir, 0o700) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir, elsewhere := filepath.Join(parent, "dir"), filepath.Join(parent, "elsewhere")
			makeDir(t, dir)
			makeDir(t, elsewhere)
			if err := os.Chmod(parent, c.parent); err != nil {
				t.Fatal(err)
			}
			if c.prepare != nil {
				if err := c.prepare(dir, elsewhere); err != nil {
					t.Fatal(err)
				}
			}
			err := host.Root{}.MakePrivate(dir)
			if _, untrusted := errors.AsType[host.Untrusted](err); untrusted != c.fails || !c.fails && err != nil {
				t.Errorf("the error is %v", err)
			}
			if got := modes(t, dir); got != c.dir {
				t.Errorf("the modes are %s, want %s", got, c.dir)
			}
			if got := modes(t, elsewhere); got != c.elsewhere {
				t.Errorf("the modes elsewhere are %s, want %s", got, c.elsewhere)
			}
		})
	}
}

// TestMakePrivateOfTree: a link of a tree does not lead out of it.
func TestMakePrivateOfTree(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Chmod(outside, 0o755), os.Symlink(outside, filepath.Join(root, "dir"))); err != nil {
		t.Fatal(err)
	}
	if err := host.At(root).MakePrivate("/dir"); err == nil {
		t.Error("a link is taken for a directory")
	}
	if info, err := os.Stat(outside); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("what is outside has mode %o: %v", info.Mode().Perm(), err)
	}
	if err := host.At(root).MakePrivate("/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("where there is none: %v", err)
	}
}
