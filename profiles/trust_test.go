package profiles_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"temper/internal/host"
	"temper/internal/testroot"
	"temper/profiles"
)

func TestPanicIsAFinding(t *testing.T) {
	got := lines(profiles.Broken("index out of range"))
	if want := "/etc/a.toml: a fault of temper: index out of range\n"; string(got) != want {
		t.Errorf("got  %swant %s", got, want)
	}
}

// TestTrust changes one thing about a good tree at a time: nothing of it may be loaded then, and the rest must be.
func TestTrust(t *testing.T) {
	chown := func(name string) func(t *testing.T, root string) {
		return func(t *testing.T, root string) {
			testroot.NeedFor(t, "give a file away")
			if err := os.Lchown(filepath.Join(root, name), 4711, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	chmod := func(name string, mode os.FileMode) func(t *testing.T, root string) {
		return func(t *testing.T, root string) {
			if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(name string, with func(path string) error) func(t *testing.T, root string) {
		return func(t *testing.T, root string) {
			path := filepath.Join(root, name)
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if err := with(path); err != nil {
				t.Fatal(err)
			}
		}
	}
	const file = dir + "/a.toml"
	for _, row := range []struct {
		about  string
		change func(t *testing.T, root string)
		want   string // "" if it loads
	}{
		{"as it should be", chmod(file, 0o600), ""},
		{"group of a user's tree", chmod(file, 0o664), ""},
		{
			"writable by all", chmod(file, 0o646),
			"/etc/temper/profiles.d/a.toml: others can write it (mode 0646): chmod go-w /etc/temper/profiles.d/a.toml",
		},
		{"another owner", chown(file), "/etc/temper/profiles.d/a.toml: belongs to user 4711: chown root " +
			"/etc/temper/profiles.d/a.toml"},
		{
			"directory writable by all", chmod(dir, 0o777),
			"/etc/temper/profiles.d: others can write it (mode 0777): chmod go-w /etc/temper/profiles.d",
		},
		{
			"directory of another", chown(dir),
			"/etc/temper/profiles.d: belongs to user 4711: chown root /etc/temper/profiles.d",
		},
		{
			"FIFO", replace(file, func(p string) error { return syscall.Mkfifo(p, 0o600) }),
			"/etc/temper/profiles.d/a.toml: is a FIFO, want a regular file",
		},
		{
			"directory", replace(file, func(p string) error { return os.Mkdir(p, 0o755) }),
			"/etc/temper/profiles.d/a.toml: is a directory, want a regular file",
		},
		{
			"device", replace(file, func(p string) error { return os.Symlink("/dev/zero", p) }),
			"/etc/temper/profiles.d/a.toml: is a link out of the search path: copy the file",
		},
		{"too large", replace(file, func(p string) error {
			return os.WriteFile(p, []byte(strings.Repeat("# comment\n", profiles.MaxSize/10+1)), 0o644)
		}), "/etc/temper/profiles.d/a.toml: has 65540 bytes, want at most 65536"},
		{"far too large", replace(file, func(p string) error {
			err := os.WriteFile(p, nil, 0o644)
			if err == nil {
				err = os.Truncate(p, 100<<20)
			}
			return err
		}), "/etc/temper/profiles.d/a.toml: has 104857600 bytes, want at most 65536"},
		{
			"base is a link", replace(dir+"/base", func(p string) error { return os.Symlink("/tmp", p) }),
			"/etc/temper/profiles.d/base: is a link: make it a directory",
		},
		{"link into a directory that all can write", func(t *testing.T, root string) {
			write(t, filepath.Join(root, "usr/local/lib/temper/profiles.d/b.toml"), "")
			chmod("usr/local/lib/temper/profiles.d", 0o777)(t, root)
			replace(file, func(p string) error {
				return os.Symlink("/usr/local/lib/temper/profiles.d/b.toml",
					p)
			})(t, root)
		}, "/etc/temper/profiles.d/a.toml: others can write it (mode 0777): chmod go-w " +
			"/usr/local/lib/temper/profiles.d\n" +
			"/usr/local/lib/temper/profiles.d: others can write it (mode 0777): chmod go-w " +
			"/usr/local/lib/temper/profiles.d"},
		{"a name that would forge a line of the log", replace(file, func(p string) error {
			return os.WriteFile(filepath.Join(filepath.Dir(p), "a\n<0>b.toml"), nil, 0o644)
		}), `/etc/temper/profiles.d/a\n<0>b.toml: ` +
			`"a\n<0>b" is no name of a profile: want one such as "nginx" or "base/daemon"`},
		{
			"a file where the directory should be",
			replace(dir, func(p string) error { return os.WriteFile(p, nil, 0o644) }),
			"/etc/temper/profiles.d: open: not a directory",
		},
	} {
		t.Run(row.about, func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, file), "")
			write(t, filepath.Join(root, "usr/lib/temper/profiles.d/other.toml"), "")
			row.change(t, root)
			set, errs := profiles.Load(host.At(root), nil)
			if got := strings.TrimSpace(string(lines(errs))); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if _, ok := set.Get("a"); ok != (row.want == "" || row.about == "base is a link") {
				t.Errorf("loaded: %t", ok)
			}
			if _, ok := set.Get("other"); !ok {
				t.Error("the other profile was not loaded")
			}
		})
	}
}
