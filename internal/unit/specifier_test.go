package unit_test

import (
	"errors"
	"testing"

	"temper/internal/unit"
)

// named loads three units whose specifiers differ.
func named(t *testing.T, version int) map[string]*unit.Unit {
	t.Helper()
	root := plant(t, map[string]string{
		"/srv/real.service":                     "[Unit]\n",
		"/etc/systemd/system/foo-bar@.service":  "-> /srv/real.service",
		"/etc/systemd/system/dev-sda.service":   "[Unit]\n",
		"/etc/systemd/system/p\\x2dct.service":  "[Unit]\n",
		"/etc/systemd/system/bad\\xzz.service":  "[Unit]\n",
		"/etc/systemd/system/alias.service":     "-> dev-sda.service",
		"/etc/machine-id":                       "0123456789abcdef0123456789abcdef\n",
		"/usr/lib/os-release":                   "NAME=x\nID=debian\nVERSION_ID=\"13\"\n",
		"/etc/os-release":                       "-> ../usr/lib/os-release",
		"/etc/systemd/system/x\\x25n@.service":  "[Unit]\n",
		"/etc/systemd/system/free.slice.d/a.xx": "",
	})
	l := &unit.Loader{Root: root, Version: version}
	units := map[string]*unit.Unit{}
	for short, name := range map[string]string{
		"instance": `foo-bar@a-b\x2dc.service`, "template": "foo-bar@.service", "plain": "dev-sda.service",
		"alias": "alias.service",
		"bad":   `bad\xzz.service`, "percent": `x\x25n@\x25i.service`, "slice": "free.slice",
	} {
		u, err := l.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		units[short] = u
	}
	return units
}

func TestExpand(t *testing.T) {
	units := named(t, 0)
	tests := []struct{ unit, value, want, err string }{
		{"instance", "%n", `foo-bar@a-b\x2dc.service`, ""},
		{"instance", "%N %p %P", `foo-bar@a-b\x2dc foo-bar foo/bar`, ""},
		{"instance", "%i|%I|%f", `a-b\x2dc|a/b-c|/a/b-c`, ""},
		{"instance", "%j %J", "bar bar", ""},
		{"instance", "%y %Y", "/srv/real.service /srv", ""},
		{"instance", "%d", `/run/credentials/foo-bar@a-b\x2dc.service`, ""},
		{"plain", "%n %N %p %P %f", "dev-sda.service dev-sda dev-sda dev/sda /dev/sda", ""},
		{"plain", "<%i%I>", "<>", ""},
		{"plain", "%C %D %E %L %S %t %T %V", "/var/cache /usr/share /etc /var/log /var/lib /run /tmp /var/tmp", ""},
		{"plain", "%h %u %U %g %G", "/root root 0 root 0", ""},
		{"plain", "%m", "0123456789abcdef0123456789abcdef", ""},
		{"plain", "%o%w<%W%B%A%M>", "debian13<>", ""},
		{"plain", "100%% %%n %- % %", "100% %n %- % %", ""},
		{"plain", "none", "none", ""},
		{"alias", "%n", "dev-sda.service", ""},
		{"plain", "%Z", "", "specifier %Z does not exist, want %% for a percent sign"},
		{"plain", "a%1", "", "specifier %1 does not exist, want %% for a percent sign"},
		{"plain", "%H", "", "specifier %H: known only at run time: ask the running kernel"},
		{"template", "%p", "foo-bar", ""},
		{"template", "%i", "", "specifier %i: foo-bar@.service is a template, want an instance of it"},
		{"template", "%I", "", "specifier %I: foo-bar@.service is a template, want an instance of it"},
		{"bad", "%p", `bad\xzz`, ""},
		{"bad", "%P", "", `specifier %P: "bad\\xzz": wrong escape at "\\xzz", want \xNN`},
		{"percent", "%P%I", "x%n%i", ""},
		{"slice", "%y", "", "specifier %y: the unit has no fragment"},
		{"slice", "%Y", "", "specifier %Y: the unit has no fragment"},
	}
	for _, tt := range tests {
		t.Run(tt.unit+" "+tt.value, func(t *testing.T) {
			got, err := units[tt.unit].Expand(tt.value)
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && err.Error() != tt.err {
				t.Errorf("Expand = %q, %v; want %q, %s", got, err, tt.want, tt.err)
			}
			if errors.Is(err, unit.ErrRuntime) != (tt.value == "%H") {
				t.Errorf("errors.Is(%v, ErrRuntime) = %v", err, errors.Is(err, unit.ErrRuntime))
			}
		})
	}
}

func TestExpandByVersion(t *testing.T) {
	tests := []struct {
		version int
		value   string
		ok      bool
	}{
		{247, "%y", false},
		{250, "%d", false},
		{251, "%d", true},
		{252, "%D", false},
		{257, "%D", true},
		{248, "%A", false},
		{249, "%A", true},
	}
	for _, tt := range tests {
		u := named(t, tt.version)["plain"]
		if got, err := u.Expand(tt.value); (err == nil) != tt.ok {
			t.Errorf("%s in %d: %q, %v", tt.value, tt.version, got, err)
		}
		if got := u.ExpandNames(tt.value); !tt.ok && got != tt.value {
			t.Errorf("%s in %d becomes %q", tt.value, tt.version, got)
		}
	}
}

func TestExpandNames(t *testing.T) {
	units := named(t, 0)
	tests := []struct{ unit, value, want string }{
		{"instance", "%n %i %I %p %j", `foo-bar@a-b\x2dc.service a-b\x2dc a/b-c foo-bar bar`},
		{"instance", "%%n %%%n %t %d %Z %- %", `%%n %%` + `foo-bar@a-b\x2dc.service %t %d %Z %- %`},
		{"plain", "[%i] %f %y", "[] /dev/sda /etc/systemd/system/dev-sda.service"},
		{"template", "%i %I %n %N %f %p", "%i %I %n %N %f foo-bar"},
		{"bad", "%P %p", `%P bad\xzz`},
		{"percent", "%P %I %p", `x%%n %%i x\x25n`},
	}
	for _, tt := range tests {
		t.Run(tt.unit+" "+tt.value, func(t *testing.T) {
			if got := units[tt.unit].ExpandNames(tt.value); got != tt.want {
				t.Errorf("ExpandNames = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestExpandMachineID(t *testing.T) {
	root := plant(t, map[string]string{
		"/etc/machine-id":               "uninitialized\n",
		"/etc/systemd/system/x.service": "[Unit]\n",
	})
	u, err := (&unit.Loader{Root: root}).Load("x.service")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := u.Expand("%m"); err == nil {
		t.Errorf("a machine without an id has %q", got)
	}
	if got, err := u.Expand("%o"); err == nil {
		t.Errorf("a machine without os-release is %q", got)
	}
}

// What only a running system tells stays, and is no mistake; what a systemd does not have is one.
func TestExpandKnown(t *testing.T) {
	got, err := named(t, 250)["plain"].ExpandKnown("%p on %H, 5%%")
	if got != "dev-sda on %H, 5%" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for version, want := range map[int]string{250: "specifier %Y needs systemd 251, this is 250", 251: ""} {
		_, err := named(t, version)["plain"].ExpandKnown("%H %Y")
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("systemd %d: err = %v, want %q", version, err, want)
		}
	}
}
