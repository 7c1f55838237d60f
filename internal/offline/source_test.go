package offline_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/unit"
)

const tree = `
-- usr/lib/systemd/system/web.service --
[Service]
ExecStart=/bin/web
-- usr/lib/systemd/system/web.service.d/10.conf --
[Service]
PrivateTmp=yes
-- usr/lib/systemd/system/run@.service --
[Service]
ExecStart=/bin/run %i
-- usr/lib/systemd/system/masked.service --
-- usr/lib/systemd/system/x.socket --
[Socket]
-- build/web.service --
[Service]
ExecStart=/build/web
-- build/run@.service --
[Service]
ExecStart=/build/run %i
-- other/web.service --
[Service]
ExecStart=/other/web
-- usr/lib/x86_64-linux-gnu/libseccomp.so.2.6.0 --
`

func root(t *testing.T) host.Root {
	t.Helper()
	dir := t.TempDir()
	for _, f := range txtar.Parse([]byte(tree)).Files {
		file := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"usr/lib/systemd/system/alias.service":         "web.service",
		"usr/lib/systemd/system/null.service":          "/dev/null",
		"usr/lib/x86_64-linux-gnu/libseccomp.so.2":     "libseccomp.so.2.6.0",
		"usr/lib/systemd/system/dangling.service":      "gone.service",
		"usr/lib/x86_64-linux-gnu/libseccomp.so.other": "x",
	} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	return host.At(dir)
}

// lines shows units by name and fragment, errors by what they wrap.
func lines(units func(func(*unit.Unit, error) bool)) []string {
	var list []string
	for u, err := range units {
		switch {
		case errors.Is(err, unit.ErrNotFound):
			list = append(list, "not found")
		case err != nil:
			list = append(list, err.Error())
		default:
			list = append(list, strings.TrimSpace(u.ID+" "+u.Fragment+" "+strings.Join(u.Dropins, " ")))
		}
	}
	return list
}

func TestSource(t *testing.T) {
	src := offline.Source{Root: root(t), Version: 257}
	const at = "/usr/lib/systemd/system/"
	web := "web.service " + at + "web.service " + at + "web.service.d/10.conf"
	tests := []struct {
		name string
		got  []string
		want []string
	}{
		{"all, without aliases, masks and what is no service", lines(src.All()), []string{
			"not found", "run@test_instance.service " + at + "run@.service", web,
		}},
		{
			"by name", lines(src.Named([]string{"web", "alias.service", "run@a.service", "run@.service", "none"})),
			[]string{
				web, web, "run@a.service " + at + "run@.service", "run@test_instance.service " + at + "run@.service",
				"not found",
			},
		},
		{
			"the directory of a file comes first",
			lines(src.Named([]string{"/build/web.service", "build/run@.service", "/build/none.service"})),
			[]string{
				"web.service /build/web.service " + at + "web.service.d/10.conf",
				"run@test_instance.service /build/run@.service", "not found",
			},
		},
		{"two of one name", lines(src.Named([]string{"/build/web.service", "/other/web.service"})), []string{
			"web.service /build/web.service " + at + "web.service.d/10.conf",
			"web.service /other/web.service " + at + "web.service.d/10.conf",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, s := range []offline.Source{{Version: 256}, {Version: 257, Instance: "i"}} {
		if got := s.InstanceOf("run@.service"); got != "run@i.service" {
			t.Errorf("%v: the instance is %s", s, got)
		}
	}
}

func TestLibseccomp(t *testing.T) {
	if got := offline.Libseccomp(root(t)); got != "2.6.0" {
		t.Errorf("got %q", got)
	}
	if got := offline.Libseccomp(host.At(t.TempDir())); got != "" {
		t.Errorf("an empty root has %q", got)
	}
}
