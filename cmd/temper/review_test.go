package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/refusallog"
)

// openTerminal makes a pseudo terminal: what is written to one end is typed at the other.
func openTerminal(t *testing.T) (person, terminal *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return person, terminal
}

// converse runs temper at a terminal, and types an answer each time it has asked a question. It returns what was said.
func converse(t *testing.T, question string, answers []string, args ...string) string {
	t.Helper()
	person, terminal := openTerminal(t)
	c := exec.Command("temper", args...)
	c.Stdin, c.Stdout, c.Stderr = terminal, terminal, terminal
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	terminal.Close()
	var said strings.Builder
	for in := bufio.NewReader(person); ; { // reading from a terminal that everybody has closed is an error
		r, _, err := in.ReadRune()
		if err != nil {
			break
		}
		said.WriteRune(r)
		if strings.HasSuffix(said.String(), question) && len(answers) > 0 {
			if _, err := person.WriteString(answers[0] + "\n"); err != nil {
				t.Fatal(err)
			}
			answers = answers[1:]
		}
	}
	if err := c.Wait(); err != nil || len(answers) > 0 {
		t.Fatalf("%v, not asked for %q:\n%s", err, answers, said.String())
	}
	return said.String()
}

// writeFiles makes files below a root directory.
func writeFiles(t *testing.T, root string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(root+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestReviewAtTerminal: a person accepts one exception, ignores another refusal for good and skips the third.
func TestReviewAtTerminal(t *testing.T) {
	root := t.TempDir()
	writeFiles(t, root, map[string]string{
		"/usr/lib/systemd/libsystemd-shared-257.so": "",
		"/usr/lib/systemd/system/web.service":       "[Service]\nExecStart=/usr/sbin/web\n",
		"/usr/lib/temper/profiles.d/web.toml": "description = \"web\"\nunits = [\"web.service\"]\n[service]\n" +
			"ProtectSystem = \"strict\"\nRestrictAddressFamilies = [\"AF_UNIX\"]\n",
		"/srv/web/file": "",
	})
	store := refusallog.Store{Root: host.At(root)}
	err := store.Update("web.service", func(l *refusallog.Log) {
		for i, r := range []refusallog.Refusal{
			{Directives: []string{"ProtectSystem"}, Restriction: refusal.PathReadOnly, Subject: "/srv/web/new"},
			{Directives: []string{"RestrictAddressFamilies"}, Restriction: refusal.Family, Subject: "AF_PACKET"},
			{Directives: []string{"RestrictAddressFamilies"}, Restriction: refusal.Family, Subject: "AF_INET"},
		} {
			r.Program, r.Count, r.First = "\x1b[2Jweb", uint64(9-i), time.Now()
			l.Add(r)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	said := converse(t, "[q]uit? [s] ", []string{"what?", "accept", "i", ""}, "review", "--root", root, "web")
	if strings.Contains(said, "\x1b[2J") {
		t.Error("what the service has chosen reached the terminal")
	}
	log, err := store.Get("web.service")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{refusallog.Accepted, refusallog.Ignored, ""} {
		if got := log.Refusals[i].Answer; got != want {
			t.Errorf("%s is answered %q, want %q", log.Refusals[i].Subject, got, want)
		}
	}
	text, err := os.ReadFile(root + "/etc/temper/profiles.d/web.toml")
	if err != nil {
		t.Fatal(err)
	}
	got := string(text)
	if !strings.Contains(got, "\nReadWritePaths = [\"-/srv/web\"]\n") || strings.Contains(got, "AF_") {
		t.Errorf("the profile is\n%s", got)
	}
}
