package servicedata

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place/hostcopy"
	"temper/internal/host"
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
	got := Of(u, p)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
