package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A death is how a running proof ends without having a say in it, and what it was, in words.
type death func(t *testing.T, c *exec.Cmd, said *bufio.Scanner) string

// killed is death at a random moment.
func killed(_ *testing.T, c *exec.Cmd, _ *bufio.Scanner) string {
	after := time.Duration(rand.IntN(4000)) * time.Millisecond
	time.Sleep(after)
	_ = c.Process.Kill() // or it has just ended
	return fmt.Sprintf("killed after %s", after)
}

// starved is death by the kernel, as soon as the proof has taken some more memory than it had after its first trial.
func starved(t *testing.T, memory int) death {
	group := newMemoryGroup(t, memory)
	return func(t *testing.T, c *exec.Cmd, said *bufio.Scanner) string {
		how := fmt.Sprintf("%d bytes of memory", memory)
		if !said.Scan() || !strings.Contains(said.Text(), "trial 1") {
			t.Fatalf("want a first trial, got %q", said.Text())
		}
		pid := c.Process.Pid
		// It is to be killed, and not what runs in its place.
		err := os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("1000"), 0)
		if err = errors.Join(err, os.WriteFile(group.dir+"/cgroup.procs", fmt.Append(nil, pid), 0)); err != nil {
			t.Fatal(err)
		}
		for said.Scan() {
			how += "\n" + said.Text()
		}
		_ = c.Wait()
		status, _ := c.ProcessState.Sys().(syscall.WaitStatus)
		if status.Signal() != unix.SIGKILL || group.kills(t) == 0 {
			t.Errorf("%s: ended with %v, and for memory %d were killed", how, c.ProcessState, group.kills(t))
		}
		return how
	}
}

// A memoryGroup is a control group whose processes have little memory.
type memoryGroup struct{ dir, events string }

// newMemoryGroup makes one, of whichever version the memory controller is; cgroups(7).
func newMemoryGroup(t *testing.T, most int) memoryGroup {
	t.Helper()
	top, limit, events := "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.oom_control"
	if all, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); strings.Contains(string(all), "memory") {
		top, limit, events = "/sys/fs/cgroup", "memory.max", "memory.events"
		if err := os.WriteFile(top+"/cgroup.subtree_control", []byte("+memory"), 0); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp(top, "memory-of-temper-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err) // of a process that is left
		}
	})
	err = os.WriteFile(filepath.Join(dir, limit), fmt.Append(nil, most), 0)
	swap := filepath.Join(dir, "memory.swap.max")
	if _, uncounted := os.Stat(swap); uncounted == nil {
		err = errors.Join(err, os.WriteFile(swap, []byte("0"), 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	return memoryGroup{dir, filepath.Join(dir, events)}
}

// kills is how many processes the kernel has killed for want of memory.
func (g memoryGroup) kills(t *testing.T) (n int) {
	t.Helper()
	data, err := os.ReadFile(g.events)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		_, _ = fmt.Sscanf(line, "oom_kill %d", &n)
	}
	return n
}
