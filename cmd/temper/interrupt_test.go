package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/testroot"
	"temper/internal/verdict"
)

// TestSystemdInterrupt: Ctrl-C in the middle of a trial ends the proof at once, with exit code 3, and leaves no mount, process
// or control group of it.
func TestSystemdInterrupt(t *testing.T) {
	image := testroot.Path(t, "trixie")
	program := filepath.Join(t.TempDir(), "temper")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	mounts := mountTable(t)
	c := exec.Command(program, "prove", "--image", image, "--state", t.TempDir(), "nginx")
	talk, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	pid := c.Process.Pid
	said := bufio.NewScanner(talk)
	if !said.Scan() || !strings.Contains(said.Text(), "trial 1") {
		t.Fatalf("want a first trial, got %q", said.Text())
	}
	time.Sleep(500 * time.Millisecond) // the next trial is under way
	begin := time.Now()
	if err := c.Process.Signal(unix.SIGINT); err != nil {
		t.Fatal(err)
	}
	var rest []string
	for said.Scan() {
		rest = append(rest, said.Text())
	}
	err = c.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != exitFailed {
		t.Errorf("ended with %v, want exit code %d: %q", err, exitFailed, rest)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %s to end", took)
	}
	if !strings.Contains(strings.Join(rest, "\n"), "interrupted; nothing is left behind") {
		t.Errorf("said %q", rest)
	}
	if now := mountTable(t); now != mounts {
		t.Errorf("mounts were\n%s\nand are\n%s", mounts, now)
	}
	if left := groupsOf(pid); len(left) > 0 {
		t.Errorf("control groups are left: %v", left)
	}
}

var kills = flag.Int("kills", 4, "kill `N` proofs at random moments")

// TestSystemdProveKilled: whenever a proof is killed, no process outlives it, no verdict is half-written, and the next proof clears
// what is left.
func TestSystemdProveKilled(t *testing.T) {
	image, state := testroot.Path(t, "trixie"), t.TempDir()
	program := filepath.Join(t.TempDir(), "temper")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	prove := func() *exec.Cmd { return exec.Command(program, "prove", "--image", image, "--state", state, "nginx") }
	store := verdict.Store{Dirs: []string{state}}
	mounts, files := mountTable(t), listing(t, image)
	var killed []int
	for range *kills {
		c := prove()
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		after := time.Duration(rand.IntN(4000)) * time.Millisecond
		time.Sleep(after)
		_ = c.Process.Kill() // or it has just ended
		_ = c.Wait()
		killed = append(killed, c.Process.Pid)
		if _, err := store.Get("nginx.service"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("killed after %s: %v", after, err)
		}
	}
	if out, err := prove().CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, pid := range killed {
		if left := groupsOf(pid); len(left) > 0 {
			t.Errorf("control groups are left: %v", left)
		}
	}
	if v, err := store.Get("nginx.service"); err != nil || v.Result != verdict.Proven {
		t.Errorf("%v, %s", err, v.Result)
	}
	if now := mountTable(t); now != mounts {
		t.Errorf("mounts were\n%s\nand are\n%s", mounts, now)
	}
	if now := listing(t, image); now != files {
		t.Error("the image has changed")
	}
	if left, _ := filepath.Glob(filepath.Join(state, ".*")); len(left) > 0 {
		t.Errorf("in the store there is %q", left)
	}
}

// listing is every file of a tree with its size, mode, owner and times.
func listing(t *testing.T, root string) string {
	t.Helper()
	out, err := exec.Command("find", root, "-xdev", "-printf", `%P %s %m %U %G %T@ %C@\n`).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func mountTable(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// groupsOf finds the control groups that a temper process made for its places, all of which have its id in their name.
func groupsOf(pid int) []string {
	var left []string
	for _, top := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		found, _ := filepath.Glob(fmt.Sprintf("%s/temper-%d-*", top, pid))
		left = append(left, found...)
	}
	return left
}
