package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"temper/internal/testroot"
	"temper/internal/verdict"
)

// TestSystemdProveTwice: of two proofs of one unit at the same time, the second waits until the first has kept its
// verdict.
func TestSystemdProveTwice(t *testing.T) {
	image, state := withQuiet(t, testroot.Path(t, "trixie")), t.TempDir()
	program := built(t)
	prove := func() (*exec.Cmd, *bufio.Scanner) {
		c := exec.Command(program, "prove", "--image", image, "--state", state, "quiet")
		talk, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewScanner(talk)
	}
	first, said := prove()
	said.Scan()                            // the first trial is over
	_ = first.Process.Signal(unix.SIGSTOP) // it does not end before the second begins
	second, heard := prove()
	if heard.Scan(); heard.Text() != "quiet.service: waits for another proof of it" {
		t.Errorf("the second said %q", heard.Text())
	}
	_ = first.Process.Signal(unix.SIGCONT)
	for said.Scan() {
	}
	if _, err := (verdict.Store{Dirs: []string{state}}).Get("quiet.service"); err != nil {
		t.Error(err)
	}
	for heard.Scan() {
	}
	if err := errors.Join(first.Wait(), second.Wait()); err != nil {
		t.Error(err)
	}
}

// TestSystemdProveDeadly: a service that takes its place down is told, and the next is proven in another. So is one
// after a service whose setup has changed the place.
func TestSystemdProveDeadly(t *testing.T) {
	image, state := withQuiet(t, testroot.Path(t, "trixie")), t.TempDir()
	out, err := exec.Command(built(t), "prove", "--image", image, "--state", state, "deadly", "mine",
		"ours").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "deadly.service: the container has ended") {
		t.Errorf("%v: %s", err, out)
	}
	for _, unit := range []string{"mine.service", "ours.service"} {
		v, err := verdict.Store{Dirs: []string{state}}.Get(unit)
		if err != nil || v.Result != verdict.Started {
			t.Errorf("%s: %v, %s: %s", unit, err, v.Result, out)
		}
	}
}

// TestSystemdUntried: a unit that cannot be tried in a place that is there is not missing in a report, and leaves no
// verdict.
func TestSystemdUntried(t *testing.T) {
	var out, talk bytes.Buffer
	state := t.TempDir()
	code := execute(t.Context(), []string{
		"prove", "--image", testroot.Path(t, "trixie"), "--state", state, "--format",
		"tap", "gone",
	}, &out, &talk)
	if want := "TAP version 13\n1..1\nnot ok 1 - gone.service: works hardened\n# inconclusive\n"; code != exitFailed ||
		!strings.HasPrefix(out.String(), want) {
		t.Errorf("exit code %d, printed %q, said %q", code, out.String(), talk.String())
	}
	if files, err := os.ReadDir(state); err != nil || len(files) > 0 {
		t.Errorf("kept %v, %v", files, err)
	}
}

// withoutUserNamespaces runs the program as root of a user namespace in which no further one can be made.
func withoutUserNamespaces(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	const script = `echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"`
	inside := []string{"--user", "--map-root-user", "sh", "-c", script, "sh", built(t)}
	c := exec.Command("unshare", slices.Concat(inside, args)...)
	out, err := c.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %s", err, out)
	}
	return c.ProcessState.ExitCode(), string(out)
}

// TestSystemdNoUserNamespace: where no user namespace can be had nothing is booted, and it is said why.
func TestSystemdNoUserNamespace(t *testing.T) {
	const want = "cannot prove here: this machine gives no user namespace: user.max_user_namespaces is 0"
	state := t.TempDir()
	code, said := withoutUserNamespaces(t, "prove", "--image", testroot.Path(t, "trixie"), "--state", state, "nginx")
	if code != exitFailed || !strings.Contains(said, want) || !strings.Contains(said, "--trusted") {
		t.Errorf("prove: exit code %d, said %q, want %q", code, said, want)
	}
	if files, err := os.ReadDir(state); err != nil || len(files) > 0 {
		t.Errorf("kept %v, %v", files, err)
	}
	code, said = withoutUserNamespaces(t, "status")
	if code != 0 || !strings.Contains(said, want+"; what was proven goes on applying") {
		t.Errorf("status: exit code %d, said %q, want %q", code, said, want)
	}
}
