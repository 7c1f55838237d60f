package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/testroot"
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
