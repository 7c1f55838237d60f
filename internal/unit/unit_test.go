package unit_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/unit"
)

// plant writes files below a new root; a value "-> x" makes a link to x.
func plant(t testing.TB, files map[string]string) host.Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		plantOne(t, root, name, text)
	}
	return host.At(root)
}

const webUnit = "[Unit]\nDescription=web\n[Service]\nPrivateTmp=no\nReadWritePaths=/a\nReadWritePaths=\n" +
	"ReadWritePaths=/b\n"

func web(t testing.TB) *unit.Unit {
	t.Helper()
	l := &unit.Loader{Root: plant(t, map[string]string{
		"/usr/lib/systemd/system/web.service":             webUnit,
		"/usr/lib/systemd/system/web.service.d/10-a.conf": "[Service]\nPrivateTmp=yes\n",
		"/etc/systemd/system/web.service.d/60-b.conf":     "[Service]\nPrivateTmp=disconnected\noops\n",
		"/etc/systemd/system/web.service.d/70-m.conf":     "",
	})}
	u, err := l.Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func values(as []unit.Assignment) []string {
	var vs []string
	for _, a := range as {
		vs = append(vs, a.Value)
	}
	return vs
}

func TestAllAndLast(t *testing.T) {
	u := web(t)
	tests := []struct {
		section, name string
		all           []string
		last          string
		ok            bool
	}{
		{"Service", "PrivateTmp", []string{"no", "yes", "disconnected"}, "disconnected", true},
		{"Service", "ReadWritePaths", []string{"/a", "", "/b"}, "/b", true},
		{"Unit", "PrivateTmp", nil, "", false},
		{"Service", "privatetmp", nil, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.section+"/"+tt.name, func(t *testing.T) {
			if d := cmp.Diff(tt.all, values(u.All(tt.section, tt.name))); d != "" {
				t.Errorf("All (-want +got):\n%s", d)
			}
			last, ok := u.Last(tt.section, tt.name)
			if last.Value != tt.last || ok != tt.ok {
				t.Errorf("Last = %q, %v", last.Value, ok)
			}
		})
	}
}

func TestWith(t *testing.T) {
	u := web(t)
	before := describe(u, nil)
	c, err := u.With("/run/x/50-temper.conf", "[Service]\nPrivateTmp=new\nbad\n[Bad]\nA=1\n")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"no", "yes", "new", "disconnected"}, values(c.All("Service", "PrivateTmp"))); d != "" {
		t.Errorf("order of the values (-want +got):\n%s", d)
	}
	want := []string{
		"/usr/lib/systemd/system/web.service.d/10-a.conf", "/run/x/50-temper.conf",
		"/etc/systemd/system/web.service.d/60-b.conf", "/etc/systemd/system/web.service.d/70-m.conf",
	}
	if d := cmp.Diff(want, c.Dropins); d != "" {
		t.Errorf("drop-ins (-want +got):\n%s", d)
	}
	problems := []string{
		`/etc/systemd/system/web.service.d/60-b.conf:3: no "=" in "oops", want Name=value`,
		`/run/x/50-temper.conf:3: no "=" in "bad", want Name=value`,
		"/run/x/50-temper.conf:5: section [Bad] means nothing in a service unit, want [Unit], [Service] or [Install]",
	}
	if d := cmp.Diff(problems, messages(c.Problems)); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
	if describe(u, nil) != before {
		t.Errorf("With changed the unit:\n%s", describe(u, nil))
	}
	if got := describe(c.Without("50-temper.conf"), nil); got != before {
		t.Errorf("Without does not undo With:\n%s", cmp.Diff(before, got))
	}
	if masked, err := u.With("80-x.conf", ""); err != nil || masked.Masks[1] != "80-x.conf" {
		t.Errorf("an empty drop-in is a mask: %v", err)
	}
}

func TestWithErrors(t *testing.T) {
	u := web(t)
	tests := []struct{ name, dropin, text, want string }{
		{
			"there already", "60-b.conf", "",
			"60-b.conf: /etc/systemd/system/web.service.d/60-b.conf is there already: file already exists",
		},
		{
			"masked already", "70-m.conf", "",
			"70-m.conf: /etc/systemd/system/web.service.d/70-m.conf is there already: file already exists",
		},
		{"no .conf", "50-temper", "", "50-temper: systemd reads no drop-in of this name, want NAME.conf"},
		{"hidden", "x/.50.conf", "", "x/.50.conf: systemd reads no drop-in of this name, want NAME.conf"},
		{
			"not read to its end", "5.conf", "[Service",
			`5.conf:1: section header "[Service" has no "]", want [Name]: the rest of the file is not read`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := u.With(tt.dropin, tt.text)
			if err == nil || err.Error() != tt.want || c != nil {
				t.Errorf("With = %v, %v", c, err)
			}
			if strings.Contains(tt.name, "already") != errors.Is(err, fs.ErrExist) {
				t.Errorf("errors.Is(%v, fs.ErrExist) = %v", err, errors.Is(err, fs.ErrExist))
			}
		})
	}
}

func TestWithout(t *testing.T) {
	c := web(t).Without("60-b.conf").Without("70-m.conf").Without("web.service").Without("none.conf")
	if d := cmp.Diff([]string{"/usr/lib/systemd/system/web.service.d/10-a.conf"}, c.Dropins); d != "" {
		t.Errorf("drop-ins (-want +got):\n%s", d)
	}
	if len(c.Problems) != 0 || len(c.Masks) != 0 || len(c.Assignments) != 6 {
		t.Errorf("left: %s", describe(c, nil))
	}
}

func TestLoadFile(t *testing.T) {
	root := plant(t, map[string]string{
		"/usr/lib/systemd/system/web.service":          "[Unit]\nDescription=installed\n",
		"/usr/lib/systemd/system/web.service.d/5.conf": "[Unit]\nDocumentation=man:installed\n",
		"/home/me/web.service":                         "[Unit]\nDescription=mine\n",
		"/home/me/web.service.d/5.conf":                "[Unit]\nDocumentation=man:mine\n",
		"/home/me/other@.service":                      "[Unit]\nDescription=%p\n",
		"/home/me/alias.service":                       "-> web.service",
		"/home/me/web.txt":                             "",
		"/home/me/dir.service/x":                       "",
	})
	l := &unit.Loader{Root: root}
	if u, err := l.Load("web.service"); err != nil || u.Fragment != "/usr/lib/systemd/system/web.service" {
		t.Fatalf("Load: %v", err)
	}
	tests := []struct{ path, id, fragment, err string }{
		{"/home/me/web.service", "web.service", "/home/me/web.service", ""},
		{"home/me/../me/web.service", "web.service", "/home/me/web.service", ""},
		{"/home/me/alias.service", "web.service", "/home/me/web.service", ""},
		{"/home/me/other@.service", "other@.service", "/home/me/other@.service", ""},
		{"/usr/lib/systemd/system/web.service", "web.service", "/usr/lib/systemd/system/web.service", ""},
		{"/home/me/none.service", "", "", "/home/me/none.service: unit not found"},
		{"/home/me/web.txt", "", "", `"web.txt" is no unit name, want NAME.TYPE such as web.txt.service: unit not found`},
		{"/home/me/dir.service", "", "", "/home/me/dir.service: is a directory, want a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			u, err := l.LoadFile(tt.path)
			switch {
			case tt.err != "" && (err == nil || err.Error() != tt.err):
				t.Errorf("err = %v, want %s", err, tt.err)
			case tt.err == "" && err != nil:
				t.Errorf("err = %v", err)
			case tt.err == "" && (u.ID != tt.id || u.Fragment != tt.fragment):
				t.Errorf("loaded %s from %s", u.ID, u.Fragment)
			}
		})
	}
	u, err := l.LoadFile("/home/me/web.service")
	if err != nil || len(u.Dropins) != 1 || u.Dropins[0] != "/home/me/web.service.d/5.conf" {
		t.Errorf("the drop-in beside the file does not win: %v, %v", u.Dropins, err)
	}
	if u, err := l.Load("web.service"); err != nil || u.Fragment != "/usr/lib/systemd/system/web.service" {
		t.Errorf("LoadFile changed the load path: %v, %v", u, err)
	}
}

func TestLoadFileRelative(t *testing.T) {
	root := plant(t, map[string]string{"/here/x.service": "[Unit]\nDescription=here\n"})
	t.Chdir(root.Dir() + "/here")
	u, err := new(unit.Loader).LoadFile("x.service")
	if err != nil || u.Fragment != root.Dir()+"/here/x.service" {
		t.Errorf("LoadFile = %v, %v", u, err)
	}
}

func TestList(t *testing.T) {
	l := &unit.Loader{Root: plant(t, map[string]string{
		"/usr/lib/systemd/system/b.service":        "x",
		"/usr/lib/systemd/system/a@.service":       "x",
		"/etc/systemd/system/c.service":            "-> b.service",
		"/etc/systemd/system/dead.service":         "-> gone.service",
		"/etc/systemd/system/off.service":          "-> /dev/null",
		"/etc/systemd/system/a.socket":             "x",
		"/etc/systemd/system/b.service":            "x",
		"/etc/systemd/system/x.service.d/a.conf":   "x",
		"/etc/systemd/system/README":               "x",
		"/etc/systemd/system/m.wants/w.service":    "-> ../b.service",
		"/usr/lib/systemd/system/self.service":     "-> self.service",
		"/run/systemd/generator.late/late.service": "x",
	})}
	got, err := l.List(".service")
	if d := cmp.Diff([]string{"a@.service", "b.service", "c.service", "dead.service", "late.service", "off.service"},
		got); d != "" || err != nil {
		t.Errorf("List: %v (-want +got):\n%s", err, d)
	}
}

func TestPositionString(t *testing.T) {
	for want, p := range map[string]unit.Position{"/a:3": {Path: "/a", Line: 3}, "/a": {Path: "/a"}} {
		if p.String() != want {
			t.Errorf("%#v is %q, want %q", p, p, want)
		}
	}
}
