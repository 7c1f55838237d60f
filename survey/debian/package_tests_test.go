package debian

import (
	"errors"
	"os/exec"
	"reflect"
	"strings"
	"testing"
)

func TestReadTests(t *testing.T) {
	const text = `# of a web server
Tests: serves, logs
Depends: @, curl (>= 7.0) | wget,
 python3:any, @builddeps@
Restrictions: needs-root,
 isolation-container

Test-Command: web -V
	 | grep 2
Depends:
Features: test-name=version
Restrictions: superficial

Tests: whole
Tests-Directory: tests/debian/
Restrictions: isolation-machine
`
	service := []string{"needs-root", "isolation-container"}
	want := []Test{
		{"serves", "./debian/tests/serves", []string{"web", "curl", "python3"}, service},
		{"logs", "./debian/tests/logs", []string{"web", "curl", "python3"}, service},
		{"version", "web -V\n| grep 2", []string{"web"}, []string{"superficial"}},
		{"whole", "./tests/debian/whole", []string{"web"}, []string{"isolation-machine"}},
	}
	got := readTests(text, "web")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	for i, runs := range []bool{true, true, false, false} {
		if got[i].runs() != runs {
			t.Errorf("%s runs in a place: %t, want %t", got[i].Name, !runs, runs)
		}
	}
}

// TestScriptOfATest: a test ends as with autopkgtest.
func TestScriptOfATest(t *testing.T) {
	for _, row := range []struct {
		command      string
		restrictions []string
		status       int
	}{
		{"test -d $AUTOPKGTEST_TMP && test -d $AUTOPKGTEST_ARTIFACTS", nil, 0},
		{"exit 3", nil, 3},
		{"exit 77", nil, 1},
		{"exit 77", []string{"skippable"}, 77},
		{"echo warning >&2", nil, 1},
		{"echo warning >&2", []string{"allow-stderr"}, 0},
	} {
		script := Test{Command: row.command, Restrictions: row.restrictions}.Script()
		script = strings.Replace(script, Source, t.TempDir(), 1)
		if status := statusOf(t, script); status != row.status {
			t.Errorf("%q with %q ends with %d, want %d", row.command, row.restrictions, status, row.status)
		}
	}
}

func statusOf(t *testing.T, script string) int {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/bin/sh", "-c", script)
	err := c.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode()
}

func FuzzReadTests(f *testing.F) {
	f.Add("Tests: a\nDepends: @\n\nTest-Command: b\n c\n", "pkg")
	f.Fuzz(func(t *testing.T, text, pkg string) {
		for _, test := range readTests(text, pkg) {
			if test.Name == "" || test.Command == "" {
				t.Errorf("a test without a name or a command: %q", test)
			}
		}
	})
}
