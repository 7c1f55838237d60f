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
		"usr/bin/reload":  "#!/opt/interpreter\n",
		"opt/interpreter": "#!/bin/dash\n", "usr/bin/unused": "x", "usr/bin/stop": "x",
		"usr/lib/systemd/system/web.service": "[Service]\nExecStartPre=/usr/bin/unused\nExecStartPre=\n" +
			"ExecStartPre=-+/opt/check.sh a\n" +
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
