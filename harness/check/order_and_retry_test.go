package check_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"temper/harness/check"
	"temper/profiles"
)

func sh(script string) *profiles.ExecCheck {
	return &profiles.ExecCheck{Command: []string{"sh", "-c", script}}
}

func TestExec(t *testing.T) {
	env := quick(t)
	env.Environ = []string{"STATE_DIRECTORY=/var/lib/x"}
	with := func(script string, more func(*profiles.ExecCheck)) profiles.Check {
		c := sh(script)
		more(c)
		return profiles.Check{Exec: c}
	}
	judge(t, env, []row{
		{"passes", profiles.Check{Exec: sh("true")}, true, "exit status 0"},
		{
			"fails",
			profiles.Check{Exec: sh("echo 'no  such'; echo thing >&2; exit 3")},
			false,
			`want exit status 0, got 3: "thing"`,
		},
		{"wanted status", with("exit 3", func(c *profiles.ExecCheck) { c.Status = 3 }), true, "exit status 3"},
		{
			"stdin and stdout", with("tr a-z A-Z", func(c *profiles.ExecCheck) { c.Stdin, c.Stdout = "ping", "PING" }),
			true, `"PING"`,
		},
		{"regexp", with("seq 3", func(c *profiles.ExecCheck) { c.Stdout = `/^1\n2/` }), true, ""},
		{
			"other output", with("echo no", func(c *profiles.ExecCheck) { c.Stdout = "yes" }), false,
			`want output with "yes", got "no"`,
		},
		{
			"environment", with("echo $STATE_DIRECTORY", func(c *profiles.ExecCheck) { c.Stdout = "/var/lib/x" }),
			true, "",
		},
		{"the end says more", profiles.Check{Exec: sh("seq 1000; exit 1")}, false, `998\n999\n1000"`},
		{
			"no program",
			profiles.Check{Exec: &profiles.ExecCheck{Command: []string{"/nonexistent"}}},
			false,
			"needs /nonexistent, which is not there",
		},
	})
}

// TestNotRun: a check that lacks what it needs, or says so by its exit status, has not run and is not repeated. A
// status that the check expects is an answer.
func TestNotRun(t *testing.T) {
	env := quick(t)
	if err := os.WriteFile(filepath.Join(env.Place.Root().Dir(), "there"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	exec := func(status int, command ...string) *profiles.ExecCheck {
		return &profiles.ExecCheck{Command: command, Status: status}
	}
	for name, tc := range map[string]struct {
		requires   []string
		exec       *profiles.ExecCheck
		ok, notRun bool
	}{
		"all there":                   {[]string{"sh", "/there"}, sh("true"), true, false},
		"no such program":             {[]string{"temper-none"}, sh("true"), false, true},
		"no such path":                {[]string{"sh", "/there/not"}, sh("true"), false, true},
		"a path that is no program":   {[]string{"there"}, sh("true"), false, true},
		"the command itself":          {nil, exec(0, "temper-none"), false, true},
		"says so":                     {nil, sh("exit 77"), false, true},
		"77 is what it wants":         {nil, exec(77, "sh", "-c", "exit 77"), true, false},
		"77 is not what it wants":     {nil, exec(77, "sh", "-c", "exit 1"), false, false},
		"a command within is missing": {nil, sh("temper-none"), false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := profiles.Check{Name: "c", Required: true, Retry: time.Minute, Requires: tc.requires, Exec: tc.exec}
			if name == "77 is not what it wants" {
				c.Retry = 0
			}
			begin := time.Now()
			got := check.Run(t.Context(), env, []profiles.Check{c}, "running")[0]
			if got.OK != tc.ok || got.NotRun != tc.notRun || got.Attempts != 1 || time.Since(begin) > 10*time.Second {
				t.Errorf("%+v after %s", got, time.Since(begin))
			}
		})
	}
}

func TestFile(t *testing.T) {
	root := t.TempDir()
	me, group := strconv.Itoa(os.Getuid()), strconv.Itoa(os.Getgid())
	for name, text := range map[string]string{
		"etc/passwd": "svc:x:" + me + ":0::/:\nother:x:99999:0::/:\n",
		"etc/group":  "svcs:x:" + group + ":\n",
		"var/data":   "one\ntwo\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/var/data", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	file := func(c profiles.FileCheck) profiles.Check { return profiles.Check{File: &c} }
	uid, gid := uint32(os.Getuid()), uint32(os.Getgid())
	judge(t, check.Env{Place: here{root: root, shift: uid - 4711}}, []row{
		{
			"owner in a place with users of its own",
			file(profiles.FileCheck{Path: "/var/data", Exists: true, Owner: "4711:" + fmt.Sprint(gid-uid+4711)}),
			true, "",
		},
		{"owner outside", file(profiles.FileCheck{Path: "/var/data", Exists: true, Owner: me}), false, "got (4711)"},
	})
	judge(t, check.Env{Place: here{root: root}}, []row{
		{"exists", file(profiles.FileCheck{Path: "/var/data", Exists: true}), true, "8 bytes"},
		{
			"links stay inside the root", file(profiles.FileCheck{Path: "/link", Exists: true, Contains: "/^three$/"}),
			false, "want /link with /^three$/",
		},
		{"contains", file(profiles.FileCheck{Path: "/link", Exists: true, Contains: "/^two$/"}), true, ""},
		{
			"missing", file(profiles.FileCheck{Path: "/etc/hostname", Exists: true}), false,
			"stat /etc/hostname: no such file",
		},
		{"should be missing and is", file(profiles.FileCheck{Path: "/etc/hostname"}), true, "does not exist"},
		{"should be missing", file(profiles.FileCheck{Path: "/var/data"}), false, "want no such file, but it exists"},
		{"mode", file(profiles.FileCheck{Path: "/var/data", Exists: true, Mode: "0640"}), true, "-rw-r-----"},
		{
			"other mode", file(profiles.FileCheck{Path: "/var/data", Exists: true, Mode: "600"}), false,
			"want mode 0600, got 0640",
		},
		{"owner by name", file(profiles.FileCheck{Path: "/var/data", Exists: true, Owner: "svc:svcs"}), true, ""},
		{"owner by number", file(profiles.FileCheck{Path: "/var/data", Exists: true, Owner: me}), true, ""},
		{"group alone", file(profiles.FileCheck{Path: "/var/data", Exists: true, Owner: ":" + group}), true, ""},
		{
			"other owner", file(profiles.FileCheck{Path: "/var/data", Exists: true, Owner: "other"}), false,
			"want owner other, got svc (" + me + ")",
		},
		{
			"directory has no content", file(profiles.FileCheck{Path: "/var", Exists: true, Contains: "x"}), false,
			"is a directory",
		},
	})
}

func TestRetry(t *testing.T) {
	flag := filepath.Join(t.TempDir(), "count")
	third := profiles.Check{
		Name: "third time", Exec: sh("echo >> " + flag + "; test $(wc -l < " + flag + ") -ge 3"),
		Retry: 10 * time.Second,
	}
	got := check.Run(t.Context(), quick(t), []profiles.Check{third}, "running")
	if !got[0].OK || got[0].Attempts != 3 {
		t.Errorf("got ok=%v after %d attempts, want a pass at the third", got[0].OK, got[0].Attempts)
	}
}

// TestOutOfTime: a check that fails until its time is over may pass with more; one that cannot pass any more, or whose
// service is gone, would not.
func TestOutOfTime(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	for _, tt := range []struct {
		name string
		c    profiles.Check
		gone <-chan struct{}
		want bool
	}{
		{"wrong until the end", profiles.Check{Exec: sh("false"), Retry: 50 * time.Millisecond}, nil, true},
		{"no answer in time", profiles.Check{Exec: sh("sleep 9"), Timeout: 50 * time.Millisecond}, nil, true},
		{"the service is gone", profiles.Check{Exec: sh("false"), Retry: 10 * time.Second}, gone, false},
		{"it passes", profiles.Check{Exec: sh("true"), Retry: 50 * time.Millisecond}, nil, false},
	} {
		env := quick(t)
		env.Gone = tt.gone
		if got := check.Run(t.Context(), env, []profiles.Check{tt.c}, "running")[0]; got.OutOfTime != tt.want {
			t.Errorf("%s: out of time %t, want %t: %+v", tt.name, got.OutOfTime, tt.want, got)
		}
	}
}

func TestRetriesUntilThePortIsOpen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	go func() {
		time.Sleep(100 * time.Millisecond)
		if l, err = net.Listen("tcp", address); err == nil {
			t.Cleanup(func() { l.Close() })
		}
	}()
	late := profiles.Check{Name: "late", Retry: 10 * time.Second, TCP: &profiles.StreamCheck{Address: address}}
	got := check.Run(t.Context(), check.Env{Place: here{}}, []profiles.Check{late}, "running")
	if !got[0].OK || got[0].Attempts < 2 {
		t.Errorf("got %+v, want a pass after a refusal", got[0])
	}
}

func TestNoRetryOnceTheServiceIsGone(t *testing.T) {
	gone := make(chan struct{})
	close(gone)
	env := check.Env{Place: here{}, Gone: gone}
	begin := time.Now()
	got := check.Run(t.Context(), env, []profiles.Check{{Name: "a", Exec: sh("false"), Retry: time.Minute}}, "running")
	if got[0].OK || got[0].Attempts != 1 || time.Since(begin) > 10*time.Second {
		t.Errorf("got %+v, want one attempt", got[0])
	}
}

func TestCancelled(t *testing.T) {
	deaf := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) { c.Read(make([]byte, 1)) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	c := profiles.Check{
		Name: "a", Timeout: time.Minute, Retry: time.Minute,
		TCP: &profiles.StreamCheck{Address: deaf, Expect: "x"},
	}
	got := check.Run(ctx, check.Env{Place: here{}}, []profiles.Check{c}, "running")
	if got[0].OK || time.Since(begin) > 10*time.Second {
		t.Errorf("got %+v after %v, want a failure at once", got[0], time.Since(begin))
	}
}

// After a required check has failed, each other check gets one attempt and no retries: a failed trial must not wait
// for each of its checks.
func TestBudgetIsSharedAfterAFailure(t *testing.T) {
	env := quick(t)
	checks := []profiles.Check{
		{Name: "required", Required: true, Exec: sh("sleep 0.05; false")},
		{Name: "second", Required: true, Exec: sh("false"), Retry: 10 * time.Millisecond},
		{Name: "third", Exec: sh("true")},
	}
	var got []string
	for _, o := range check.Run(t.Context(), env, checks, "running") {
		got = append(got, o.Name+" "+strconv.FormatBool(o.OK)+" "+strconv.Itoa(o.Attempts))
	}
	if diff := cmp.Diff([]string{"required false 1", "second false 1", "third true 1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPhasesAndOrder(t *testing.T) {
	checks := []profiles.Check{
		{Name: "log", Required: true, Journal: &profiles.JournalCheck{}},
		{Name: "page", Required: true, Exec: sh("true")},
		{Name: "gone", Phase: "stopped", Exec: sh("true")},
	}
	got := check.Run(t.Context(), quick(t), checks[1:], "stopped")
	want := []check.Outcome{
		{Name: "gone", Kind: "exec", Phase: "stopped", OK: true, Detail: "exit status 0", Attempts: 1},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(check.Outcome{}, "Took")); diff != "" {
		t.Errorf("stopped (-want +got):\n%s", diff)
	}
	var names []string
	for _, o := range check.Run(t.Context(), quick(t), checks[:2], "running") {
		names = append(names, o.Name)
	}
	if diff := cmp.Diff([]string{"log", "page"}, names); diff != "" {
		t.Errorf("outcomes are not in the order of the checks (-want +got):\n%s", diff)
	}
}

func TestNothingToDo(t *testing.T) {
	got := check.Run(t.Context(), quick(t), []profiles.Check{{Name: "empty"}}, "running")
	if got[0].OK || !strings.Contains(got[0].Detail, "want one of http") {
		t.Errorf("got %+v, want a failure that says what is missing", got[0])
	}
}
