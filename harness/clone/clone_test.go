package clone

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/unit"
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

// TestCloneFiles: a trial has the text of its unit in the order in which systemd reads it, and none that acts on
// others.
func TestCloneFiles(t *testing.T) {
	u, _ := load(t, "a@x-y.service", map[string]string{
		"/usr/lib/systemd/system/a@.service": `[Unit]
Description=100% \
  of %i
Requisite=db.service a.socket dev-sda.device
OnFailure=mail@%n.service
ConditionPathExists=/nowhere
[Service]
ExecStart=/bin/a %i %I %n %p %% %t \\
Restart=always
RestartSec=7
Slice=a.slice
DynamicUser=yes
[Install]
WantedBy=multi-user.target
`,
		"/etc/systemd/system/a@.service.d/70-late.conf":      "[Service]\nNice=1\n",
		"/etc/systemd/system/a@.service.d/10-early.conf":     "[Service]\nNice=2\n",
		"/etc/systemd/system/service.d/10-all.conf":          "[Service]\nNice=3\n",
		"/etc/systemd/system/a@.service.d/50-temper.conf":    "[Service]\nNice=4\n",
		"/usr/lib/systemd/system/a@x-y.service.d/80-me.conf": "[Unit]\nAfter=db.service\n",
	})
	c := Clone{Unit: u, Activation: Activation{Starters: []string{"a.socket"}}, NoDevices: true}
	want := map[string]string{
		"T@x-y.service.d/00-service.conf": "[Unit]\nRequires=db.service\n\n[Service]\n" +
			"ExecStart=/bin/a %i %I a@x-y.service a %% %t \\\\\n" +
			"RestartSec=7\nDynamicUser=yes\nNice=2\n",
		"T@x-y.service.d/50-temper.conf": "[Service]\nNice=5\n",
		"T@x-y.service.d/99-service.conf": "[Service]\nNice=1\n\n[Unit]\nAfter=db.service\nStartLimitIntervalSec=0\n" +
			"\n[Service]\nRestart=on-success\nUser=a\nSlice=a.slice\n",
	}
	if diff := cmp.Diff(want, c.Files("T", "[Service]\nNice=5\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestCgroup: a clone is in the slice of its service unless it gets one of its own, or one for all its instances.
func TestCgroup(t *testing.T) {
	for _, test := range []struct {
		name, slice string
		own         bool
		want        string
	}{
		{"a.service", "", false, "system.slice/T.service"},
		{"a.service", "Slice=web-a.slice", false, "web.slice/web-a.slice/T.service"},
		{"a.service", "Slice=-.slice", false, "T.service"},
		{"a.service", "Slice=web-a.slice", true, "system.slice/system-T.slice"},
		{"a@x.service", "", false, `system.slice/system-a.slice/T@x.service`},
		{"a@x.service", "", true, "system.slice/system-T.slice"},
	} {
		file := strings.Replace(test.name, "@x", "@", 1)
		u, _ := load(t, test.name, map[string]string{
			"/usr/lib/systemd/system/" + file: "[Service]\nExecStart=/bin/a\n" + test.slice + "\n",
		})
		c := Clone{Unit: u, OwnSlice: test.own}
		if got := c.Cgroup("T"); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.name, test.slice, got, test.want)
		}
		late := c.Files("T", "")[c.Service("T")+".d/"+LateDropin]
		if slice := path.Base(path.Dir(c.Cgroup("T"))); !test.own && slice != "." &&
			!strings.HasSuffix(late, "\nSlice="+slice+"\n") {
			t.Errorf("%s %s: the clone has %q", test.name, test.slice, late)
		}
	}
}
