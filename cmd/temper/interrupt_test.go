package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/privilege"
	"temper/internal/testroot"
	"temper/internal/values"
	"temper/internal/verdict"
)

// TestSystemdInterrupt: Ctrl-C in the middle of a trial ends the proof at once, with exit code 3, and leaves no mount,
// process or control group of it.
func TestSystemdInterrupt(t *testing.T) {
	image := testroot.Path(t, "trixie")
	program := built(t)
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
	hasOnly(t, pid, privilege.Containers)
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

// hasOnly fails if a thread of a process has, or can get, other capabilities.
func hasOnly(t *testing.T, pid int, allowed values.CapSet) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	for _, name := range threads {
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		for line := range strings.Lines(string(data)) {
			set, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			caps, err := strconv.ParseUint(value, 16, 64)
			if slices.Contains([]string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}, set) &&
				(err != nil || !allowed.Has(values.CapSet(caps))) {
				t.Errorf("a thread of temper prove has %s %s", set, values.CapSet(caps)&^allowed)
			}
		}
	}
}

var kills = flag.Int("kills", 2, "kill `N` proofs at random moments")

// TestSystemdProveKilled: whenever a proof is killed, by whomever, no process outlives it, no verdict is half-written,
// and the next proof clears what is left.
func TestSystemdProveKilled(t *testing.T) {
	image, state := testroot.Path(t, "trixie"), t.TempDir()
	program := built(t)
	prove := func() *exec.Cmd { return exec.Command(program, "prove", "--image", image, "--state", state, "nginx") }
	store := verdict.Store{Dirs: []string{state}}
	mounts, files := mountTable(t), listing(t, image)
	deaths := slices.Repeat([]death{killed}, *kills)
	for _, memory := range []int{64 << 10, 2 << 20, 8 << 20} {
		deaths = append(deaths, starved(t, memory))
	}
	var pids []int
	for _, die := range deaths {
		c := prove()
		c.Env = append(os.Environ(), "GOGC=off") // it always wants more memory
		talk, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		how := die(t, c, bufio.NewScanner(talk))
		_ = c.Wait()
		t.Log(how)
		pids = append(pids, c.Process.Pid)
		if _, err := store.Get("nginx.service"); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", how, err)
		}
	}
	if out, err := prove().CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, pid := range pids {
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

// TestSystemdProveDisturbed: when the place of a proof dies under it, its bus, its memory or the disk for the verdict,
// the proof ends, says why, and leaves nothing but what the next one clears. Where the place is full, nothing is known
// of the service: that is its verdict.
func TestSystemdProveDisturbed(t *testing.T) {
	image := withQuiet(t, testroot.Path(t, "trixie"))
	program := built(t)
	mounts := mountTable(t)
	for _, tc := range []struct {
		name, unit string // quiet makes nothing to last, and so stays in its place
		disturb    func(t *testing.T, pid int, state string)
		says       string

		inconclusive bool // that is the verdict
	}{
		{
			"container", "quiet", func(t *testing.T, pid int, _ string) { kill(t, pid, "systemd") },
			"the container has ended", false,
		},
		{"again", "nginx", func(t *testing.T, pid int, _ string) {
			if !killSoon(t, pid, "systemd") {
				t.Fatal("no second place was booted")
			}
		}, "a place in which nginx.service never ran: boot ", false},
		{
			"bus", "quiet", func(t *testing.T, pid int, _ string) { kill(t, pid, "dbus-daemon") },
			"the system bus of the container has gone", false,
		},
		{"memory", "quiet", func(t *testing.T, pid int, _ string) {
			if err := unix.Prlimit(pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}, nil); err != nil {
				t.Fatal(err)
			}
		}, "memory", false},
		{"full place", "fills", func(*testing.T, int, string) {}, "no space left", true},
		{"disk", "quiet", func(t *testing.T, _ int, state string) {
			fill := filepath.Join(state, "fill")
			err := os.WriteFile(fill, make([]byte, 1<<20), 0o600)
			if !errors.Is(err, unix.ENOSPC) {
				t.Fatalf("the disk is not full: %v", err)
			}
		}, "no space left", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			state := t.TempDir()
			if err := unix.Mount("tmpfs", state, "tmpfs", 0, "size=64k,mode=755"); err != nil {
				t.Fatal(err)
			}
			c := exec.Command(program, "prove", "--image", image, "--state", state, tc.unit)
			c.Env = append(os.Environ(), "GOGC=off") // it always wants more memory
			talk, err := c.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewScanner(talk)
			said.Scan() // the first trial is over
			tc.disturb(t, c.Process.Pid, state)
			rest := []string{said.Text()}
			for said.Scan() {
				rest = append(rest, said.Text())
			}
			if err := c.Wait(); err == nil {
				t.Error("the proof ends with exit status 0")
			}
			store := verdict.Store{Dirs: []string{state}}
			v, err := store.Get(tc.unit + ".service")
			switch {
			case err == nil && tc.inconclusive && v.Result == verdict.Inconclusive:
				rest = append(rest, v.Reason)
			case !errors.Is(err, fs.ErrNotExist):
				t.Errorf("there is a verdict: %v, %v", v, err)
			}
			if !strings.Contains(strings.Join(rest, "\n"), tc.says) {
				t.Errorf("said %q", rest)
			}
			if left, _ := filepath.Glob(filepath.Join(state, ".*")); len(left) > 0 {
				t.Errorf("in the store there is %q", left)
			}
			if err := unix.Unmount(state, 0); err != nil {
				t.Error(err)
			}
			if err := place.RemoveLeftovers(t.Context()); err != nil {
				t.Error(err)
			}
			if left := groupsOf(c.Process.Pid); len(left) > 0 {
				t.Errorf("control groups are left: %v", left)
			}
			if now := mountTable(t); now != mounts {
				t.Errorf("mounts were\n%s\nand are\n%s", mounts, now)
			}
		})
	}
}

// withQuiet is a tree with three services more, quiet, one that shuts the system down and one for which its place is
// full, and profiles for them.
func withQuiet(t *testing.T, tree string) string {
	t.Helper()
	more, merged := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"etc/systemd/system/quiet.service": "[Service]\nExecStart=/bin/sleep infinity\n",
		"etc/temper/profiles.d/quiet.toml": "units = [\"quiet.service\"]\napply = [\"started\"]\n\n" +
			"[service]\nLockPersonality = true\n",
		// SIGRTMIN+14: systemd(1)
		"etc/systemd/system/deadly.service": "[Service]\nExecStart=/bin/sh -c 'kill -48 1; sleep infinity'\n",
		"etc/temper/profiles.d/deadly.toml": "units = [\"deadly.service\"]\n\n[service]\nLockPersonality = true\n",
		"etc/systemd/system/mine.service":   "[Service]\nExecStart=/bin/sleep infinity\n",
		"etc/systemd/system/ours.service":   "[Service]\nExecStart=/bin/sleep infinity\n",
		"etc/temper/profiles.d/mine.toml": "units = [\"mine.service\", \"ours.service\"]\n\n[service]\n" +
			"LockPersonality = true\n\n[prove]\nsetup = [\"mkdir /srv/mine\"]\n",
		"etc/systemd/system/fills.service": "[Service]\nExecStart=/bin/sleep infinity\n",
		"etc/temper/profiles.d/fills.toml": "units = [\"fills.service\"]\n\n[service]\nLockPersonality = true\n\n" +
			"[prove]\n" +
			"setup = [\"mount -t tmpfs -o size=1M fills /run/systemd/system; ! head -c 2M /dev/zero " +
			">/run/systemd/system/fill\"]\n",
	} {
		file := filepath.Join(more, name)
		err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mount("overlay", merged, "overlay", 0, "lowerdir="+more+":"+tree); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(merged, unix.MNT_DETACH) })
	return merged
}

// kill kills the first process of a name in the place of a proof.
func kill(t *testing.T, pid int, name string) {
	t.Helper()
	if groups := groupsOf(pid); len(groups) == 0 || !killIn(t, groups[0], name) {
		t.Fatalf("no %s in the place", name)
	}
}

// killSoon kills the first process of a name in the second place of a proof, as soon as there is one. It reports
// whether it did.
func killSoon(t *testing.T, pid int, name string) bool {
	t.Helper()
	first := groupsOf(pid)
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		for _, group := range groupsOf(pid) {
			if !slices.Contains(first, group) && killIn(t, group, name) {
				return true
			}
		}
	}
	return false
}

// killIn kills the first process of a name in a control group. It reports whether there was one.
func killIn(t *testing.T, group, name string) bool {
	t.Helper()
	var found int
	_ = filepath.WalkDir(group, func(file string, d fs.DirEntry, _ error) error {
		if d == nil || d.Name() != "cgroup.procs" {
			return nil
		}
		data, _ := os.ReadFile(file)
		for id := range strings.FieldsSeq(string(data)) {
			if comm, _ := os.ReadFile("/proc/" + id + "/comm"); found == 0 && strings.TrimSpace(string(comm)) == name {
				found, _ = strconv.Atoi(id)
			}
		}
		return nil
	})
	if found == 0 {
		return false
	}
	if err := unix.Kill(found, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	return true
}

// built builds the program.
func built(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "temper")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
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

// mountTable is what this program has mounted on the machine; others mount and unmount meanwhile.
func mountTable(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var ours strings.Builder
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, " temper ") ||
			strings.Contains(line, "/run/temper") { // source, or where it is mounted
			ours.WriteString(line)
		}
	}
	return ours.String()
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
