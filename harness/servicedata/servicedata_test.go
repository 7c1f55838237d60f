package servicedata

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/harness/place/hostcopy"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/profiles"
)

// load loads a unit of a tree that consists of these files.
func load(t *testing.T, name string, files map[string]string) (*unit.Unit, host.Root) {
	t.Helper()
	root := t.TempDir()
	for file, text := range files {
		file = filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := &unit.Loader{Root: host.At(root)}
	u, err := l.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return u, host.At(root)
}

// TestOf finds the directories of a service: those that systemd makes for it, and those that its unit and its profile
// open by any directive.
func TestOf(t *testing.T) {
	const home = "/usr" // what is temporary is left out
	u, _ := load(t, "a.service", map[string]string{"/usr/lib/systemd/system/a.service": `[Service]
StateDirectory=gone
StateDirectory=
StateDirectory=a a/b
CacheDirectory=c:d
LogsDirectory=%p
RootDirectory=` + home + `
ReadWritePaths=-/nowhere /run +/share
BindPaths=` + home + `/lib:/shown
`})
	p := &profiles.Profile{Service: []profiles.Setting{{
		Name:   "ReadWritePaths",
		Values: []string{"-" + home + "/bin", "/etc/hostname"},
	}}}
	want := hostcopy.Directories{Make: []string{"/var/lib/a", "/var/lib/a/b", "/var/cache/c", "/var/log/a"}}
	want.Over = []string{"/usr/bin", "/usr/lib", "/usr/share", "/var/cache/c", "/var/lib/a", "/var/log/a"}
	got, err := Of(u, p)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// TestOfLinksOfOthers refuses a link that the service could exchange, wherever it is on the way.
func TestOfLinksOfOthers(t *testing.T) {
	testroot.Need(t)
	root, err := os.MkdirTemp("/var", "temper-test-") // below no directory that everybody can write
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	own, safe := filepath.Join(root, "own"), filepath.Join(root, "safe")
	for _, dir := range []string{own, filepath.Join(safe, "target")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		filepath.Join(own, "link"):     safe,
		filepath.Join(safe, "link"):    filepath.Join(safe, "target"),
		filepath.Join(safe, "through"): filepath.Join(own, "link"),
	} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(own, 1, 1); err != nil {
		t.Fatal(err)
	}
	for dir, refused := range map[string]bool{
		own: false, filepath.Join(own, "link"): true, filepath.Join(own, "link/target"): true,
		filepath.Join(safe, "link"): false, filepath.Join(safe, "through/target"): true,
	} {
		u, _ := load(t, "a.service", map[string]string{
			"/usr/lib/systemd/system/a.service": "[Service]\nReadWritePaths=" + dir + "\n",
		})
		if _, err := Of(u, &profiles.Profile{}); (err != nil) != refused {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

// TestOfUnseen: what cannot be looked at may be data, and what is not there for systemd either is none.
func TestOfUnseen(t *testing.T) {
	loop := filepath.Join(t.TempDir(), "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	unseen := "/var/lib/" + strings.Repeat("x", unix.NAME_MAX+1)
	for text, want := range map[string]error{
		"ReadWritePaths=" + unseen: unix.ENAMETOOLONG, "StateDirectory=" + filepath.Base(unseen): unix.ENAMETOOLONG,
		"ReadWritePaths=" + loop: nil, "ReadWritePaths=/etc/hostname/x": nil, "ReadWritePaths=/nowhere": nil,
	} {
		u, _ := load(t, "a.service", map[string]string{
			"/usr/lib/systemd/system/a.service": "[Service]\n" + text + "\n",
		})
		if _, err := Of(u, &profiles.Profile{}); !errors.Is(err, want) {
			t.Errorf("%.30s: %v, want %v", text, err, want)
		}
	}
}
