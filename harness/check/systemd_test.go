package check_test

import (
	"strings"
	"testing"
	"time"

	"temper/harness/check"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
	"temper/profiles"
)

var _ check.Place = (*place.Place)(nil)

// boot boots a throwaway copy of a Debian tree.
func boot(t *testing.T, name string) *place.Place {
	t.Helper()
	p, err := place.Container(t.Context(), place.Options{Image: testroot.Path(t, name)})
	if err != nil {
		t.Fatalf("%v; hint: %s", err, hint.Of(err))
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// command runs a command in a place and wants it to succeed.
func command(t *testing.T, p *place.Place, args ...string) {
	t.Helper()
	r, err := p.Run(t.Context(), place.Command{Args: args, Timeout: 30 * time.Second})
	if err != nil || r.Status != 0 {
		t.Fatalf("%q: %v, %+v", args, err, r)
	}
}

// TestSystemdChecks tries every kind of check on nginx in a booted Debian.
func TestSystemdChecks(t *testing.T) {
	p := boot(t, "trixie")
	command(t, p, "systemctl", "start", "nginx.service")
	exec := func(user string, stdout profiles.Pattern, args ...string) profiles.Check {
		return profiles.Check{Exec: &profiles.ExecCheck{Command: args, User: user, Stdout: stdout}}
	}
	manager := func(method string, args ...string) profiles.Check {
		return profiles.Check{DBus: &profiles.DBusCheck{
			Name: "org.freedesktop.systemd1", Path: "/org/freedesktop/systemd1",
			Interface: "org.freedesktop.systemd1.Manager",
			Method:    method, Args: args,
		}}
	}
	judge(t, check.Env{Place: p, Unit: "nginx.service", Environ: []string{"GREETING=hello"}}, []row{
		{
			"http",
			profiles.Check{HTTP: &profiles.HTTPCheck{URL: "http://localhost/", Body: "Welcome to nginx"}},
			true,
			"status 200",
		},
		{
			"http status",
			profiles.Check{HTTP: &profiles.HTTPCheck{URL: "http://127.0.0.1/none"}},
			false,
			"want status 200, got 404",
		},
		{
			"http port",
			profiles.Check{HTTP: &profiles.HTTPCheck{URL: "http://127.0.0.1:81/"}},
			false,
			"connection refused",
		},
		{"tcp", profiles.Check{TCP: &profiles.StreamCheck{
			Address: "127.0.0.1:80", Send: "GET / HTTP/1.0\r\n\r\n",
			Expect: `/^Server: nginx/`,
		}}, true, ""},
		{
			"unix stream",
			profiles.Check{Unix: &profiles.StreamCheck{Address: "/run/systemd/journal/stdout"}},
			true,
			"accepted",
		},
		{
			"unix datagram",
			profiles.Check{Unix: &profiles.StreamCheck{Address: "/run/systemd/journal/dev-log"}},
			true,
			"accepted",
		},
		{"udp", profiles.Check{UDP: &profiles.StreamCheck{Address: "127.0.0.1:53"}}, false, "connection refused"},
		{"exec", exec("", "", "nginx", "-t"), true, "test is successful"},
		{"exec as user", exec("www-data", "/^www-data$/", "id", "-un"), true, ""},
		{"exec environment", exec("", "hello", "printenv", "GREETING"), true, ""},
		{"exec without permission", exec("www-data", "", "nginx", "-s", "reopen"), false, "not permitted"},
		{"file", profiles.Check{File: &profiles.FileCheck{
			Path: "/run/nginx.pid", Exists: true, Contains: `/^\d+$/`,
			Mode: "0644", Owner: "root:root",
		}}, true, ""},
		{"file owner", profiles.Check{File: &profiles.FileCheck{
			Path: "/var/log/nginx/access.log", Exists: true,
			Owner: "nobody",
		}}, false, "got www-data"},
		{"file is absent", profiles.Check{File: &profiles.FileCheck{Path: "/run/nginx.sock"}}, true, "does not exist"},
		{"dbus", manager("GetUnit", "nginx.service"), true, "/org/freedesktop/systemd1/unit/nginx_2eservice"},
		{"dbus array", manager("ListUnitsFiltered", "['failed', 'masked']"), true, ""},
		{"dbus error", manager("GetUnit", "none.service"), false, "none.service not loaded"},
		{"dbus name", profiles.Check{DBus: &profiles.DBusCheck{Name: "org.example.None"}}, false, "org.example.None"},
	})
}

// TestSystemdJournal: a journal check sees what the trial's unit logged, all of it, and nothing else.
func TestSystemdJournal(t *testing.T) {
	for _, name := range []string{"bookworm", "trixie"} {
		t.Run(name, func(t *testing.T) { journalIn(t, boot(t, name)) })
	}
}

func journalIn(t *testing.T, p *place.Place) {
	log := func(unit, script string) {
		command(t, p, "systemd-run", "--quiet", "--wait", "--collect", "--unit="+unit, "/bin/sh", "-c", script)
	}
	log("trial.service", "echo earlier")
	time.Sleep(10 * time.Millisecond)
	env := check.Env{Place: p, Unit: "trial.service", Since: time.Now()}
	judge(t, env, []row{
		{"nothing yet", wanted(nil, "earlier"), true, "0 messages"},
		{"nothing required is there", wanted([]string{"earlier"}), false, "got 0 messages without"},
	})
	log("other.service", "echo other")
	log("trial.service", `echo ready; printf 'bell \007 and \377\n'; echo failed to >&2; head -c 9000 /dev/zero | tr '\0' x; echo; echo done`)
	judge(t, env, []row{
		{"must", wanted([]string{"^ready$", "^done$"}), true, "messages"},
		{"long", wanted([]string{"^x{1000}"}), true, "messages"},
		{"not text", wanted([]string{`^bell \x07 and`}), true, "messages"},
		{"must and is not", wanted([]string{"^ready$", "^steady$"}), false, "want a message with /^steady$/, got"},
		{"must not and is", wanted(nil, "(?i)^Failed"), false, `want no message with /(?i)^Failed/, got "failed to"`},
		{"of this trial only", wanted(nil, "earlier|other"), true, "messages"},
		{"bad expression", wanted([]string{"("}), false, "missing closing )"},
	})
	begin := time.Now()
	forbidden := wanted(nil, "ready")
	forbidden.Retry = time.Minute
	if got := check.Run(t.Context(), env, []profiles.Check{forbidden}, "running"); got[0].OK ||
		time.Since(begin) > 30*time.Second {
		t.Errorf("got %+v after %v, want a failure at once: what was logged stays logged", got[0], time.Since(begin))
	}
	// More than 4 MiB of long lines, of which journald drops none, and then what matters.
	log("trial.service", `text=$(printf %040000d 0); for i in $(seq 150); do echo $text$i; done; echo forbidden at the end`)
	judge(t, env, []row{
		{"must, after much", wanted([]string{"^ready$", "^forbidden at the end$"}), true, "messages"},
		{"must not, after much", wanted(nil, "forbidden"), false, `got "forbidden at the end"`},
	})
	command(t, p, "/bin/sh", "-c", "journalctl --rotate; rm -rf /run/log/journal /var/log/journal")
	got := check.Run(t.Context(), env, []profiles.Check{wanted(nil, "x")}, "running")
	if got[0].OK || !strings.Contains(got[0].Detail, "there is no journal") {
		t.Errorf("got %+v, want a failure: without a journal nothing is known", got[0])
	}
}

func wanted(must []string, mustNot ...string) profiles.Check {
	return profiles.Check{Journal: &profiles.JournalCheck{Must: must, MustNot: mustNot}}
}
