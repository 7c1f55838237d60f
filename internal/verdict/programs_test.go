package verdict_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// programsRoot is a machine with a service that starts programs in every way that it can name them.
func programsRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"usr/bin/web-daemon": "\x7fELF", "usr/sbin/named": "#!/usr/bin/env -S python3 -u\n",
		"usr/bin/python3": "\x7fELF 3",
		"usr/bin/env":     "\x7fELF", "opt/check.sh": "#! /bin/dash\nexit\n", "bin/dash": "\x7fELF",
		"usr/bin/second": "x", "usr/bin/third": "x", "usr/lib/web/fourth": "#!/opt/fourth-interpreter -x\n",
		"opt/fourth-interpreter": "x", "etc/web.conf": "x", "usr/share/web/data": "x",
		"usr/share/my app/fifth.py": "print()", "usr/bin/condition": "x", "usr/bin/cleanup": "x",
		"usr/bin/reload":  "#!/opt/interpreter\n",
		"opt/interpreter": "#!/bin/dash\n", "usr/bin/unused": "x", "usr/bin/stop": "x",
		"usr/lib/systemd/system/web.service": "[Service]\nExecStartPre=/usr/bin/unused\nExecStartPre=\n" +
			"ExecStartPre=-+/opt/check.sh a\n" +
			"ExecStartPre=/usr/bin/env -u HOME A=b second ; /usr/bin/third\n" +
			"ExecStartPre=/bin/dash -c 'cd / && exec /usr/lib/web/fourth -c /etc/web.conf --data=/usr/share/web'\n" +
			"ExecStartPre=/usr/bin/python3 '/usr/share/my app/fifth.py'\n" +
			"ExecCondition=/usr/bin/condition\nExecStopPost=-/usr/bin/cleanup\n" +
			"ExecStart=@/usr/bin/%p-daemon web -f\nExecStartPost=!named\nExecReload=:/usr/bin/reload\nExecStop=stop\n",
	} {
		put(t, root, name, text)
	}
	return root
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func take(t *testing.T, root string) verdict.Fingerprint {
	t.Helper()
	u, err := (&unit.Loader{Root: host.At(root), Version: 257}).Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	f, err := verdict.Take(host.At(root), u, "profile", 257)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// A verdict is about every program that the service starts, and about no other.
func TestFingerprintFollowsPrograms(t *testing.T) {
	const kept, executable, program = "", "changed since: the executable", "changed since: a program that it starts"
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			if err := os.Remove(filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	upgrade := func(name string) func(*testing.T, string) {
		return func(t *testing.T, root string) { put(t, root, name, "another program") }
	}
	for name, tc := range map[string]struct {
		change func(*testing.T, string)
		want   string
	}{
		"nothing":                      {func(*testing.T, string) {}, kept},
		"the executable":               {upgrade("usr/bin/web-daemon"), executable},
		"a program before the start":   {upgrade("opt/check.sh"), program},
		"its interpreter":              {upgrade("bin/dash"), program},
		"a program without a path":     {upgrade("usr/sbin/named"), program},
		"what env starts":              {upgrade("usr/bin/python3"), program},
		"a program that reloads":       {upgrade("usr/bin/reload"), program},
		"an interpreter, itself one":   {upgrade("opt/interpreter"), program},
		"a program that stops":         {upgrade("usr/bin/stop"), program},
		"a name is found earlier":      {upgrade("usr/local/bin/stop"), program},
		"what a command env starts":    {upgrade("usr/bin/second"), program},
		"a second command of a line":   {upgrade("usr/bin/third"), program},
		"what a shell starts":          {upgrade("usr/lib/web/fourth"), program},
		"its interpreter too":          {upgrade("opt/fourth-interpreter"), program},
		"a script, named with a blank": {upgrade("usr/share/my app/fifth.py"), program},
		"a condition":                  {upgrade("usr/bin/condition"), program},
		"what runs after the stop":     {upgrade("usr/bin/cleanup"), program},
		"a setting":                    {upgrade("etc/web.conf"), kept},
		"data":                         {upgrade("usr/share/web/data"), kept},
		"a command that was reset":     {upgrade("usr/bin/unused"), kept},
		"another program":              {upgrade("usr/bin/other"), kept},
		"an executable is not mounted": {remove("usr/bin/web-daemon"), kept},
		"a script is not mounted":      {remove("opt/check.sh"), kept},
		"an interpreter is not there":  {remove("opt/interpreter"), kept},
	} {
		t.Run(name, func(t *testing.T) {
			root := programsRoot(t)
			then := take(t, root)
			tc.change(t, root)
			if got := then.Differs(take(t, root)); got != tc.want {
				t.Errorf("%q, want %q; then\n%s\n%s\nnow\n%s", got, tc.want, then.Executable, then.Programs,
					take(t, root).Programs)
			}
		})
	}
}

// A verdict of a temper that did not look for programs without a path holds as long as the name is the same.
func TestFingerprintOfNameAlone(t *testing.T) {
	root := programsRoot(t)
	put(t, root, "usr/lib/systemd/system/web.service", "[Service]\nExecStart=named -f\n")
	then := take(t, root)
	if !strings.HasPrefix(then.Executable, "/usr/sbin/named ") {
		t.Errorf("the executable is %s", then.Executable)
	}
	then.Executable, then.Programs = "named", ""
	if why := then.Differs(take(t, root)); why != "" {
		t.Error(why)
	}
}

// An ExecSearchPath= decides where a program is found.
func TestFingerprintSearchPath(t *testing.T) {
	root := programsRoot(t)
	put(t, root, "opt/bin/named", "x")
	put(t, root, "usr/lib/systemd/system/web.service",
		"[Service]\nExecSearchPath=/nowhere:/opt/bin\nExecStart=named -f\n")
	if got := take(t, root).Executable; !strings.HasPrefix(got, "/opt/bin/named ") {
		t.Errorf("the executable is %s", got)
	}
}

// TestFingerprintRootDirectory: the programs of a unit with a root directory are those in it.
func TestFingerprintRootDirectory(t *testing.T) {
	root := programsRoot(t)
	put(t, root, "srv/image/bin/web", "x")
	put(t, root, "srv/disk.img", "x")
	put(t, root, "bin/web", "another")
	put(t, root, "usr/lib/systemd/system/web.service", "[Service]\nRootDirectory=/srv/image\nExecStart=/bin/web\n")
	then := take(t, root)
	if !strings.HasPrefix(then.Executable, "/srv/image/bin/web ") {
		t.Errorf("the executable is %s", then.Executable)
	}
	put(t, root, "bin/web", "upgraded, and not the program of the unit")
	if why := then.Differs(take(t, root)); why != "" {
		t.Error(why)
	}
	put(t, root, "usr/lib/systemd/system/web.service", "[Service]\nRootImage=/srv/disk.img\nExecStart=/bin/web\n")
	then = take(t, root)
	put(t, root, "srv/disk.img", "another")
	if why := then.Differs(take(t, root)); why != "changed since: a program that it starts" {
		t.Error(why)
	}
}
