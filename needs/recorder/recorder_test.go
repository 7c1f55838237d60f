package recorder_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/needs"
	"temper/needs/recorder"
)

// newCgroup makes the control group of a service.
func newCgroup(t *testing.T) string {
	t.Helper()
	testroot.NeedFor(t, "make cgroups and load eBPF programs")
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil || len(mounts) == 0 {
		t.Fatalf("no cgroup2 file system is mounted (%v)", err)
	}
	parent, err := os.MkdirTemp(mounts[0].Mountpoint, "temper-recorder-test-")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "x.service")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, d := range []string{dir, parent} {
			for unix.Rmdir(d) == unix.EBUSY { // a process that has just ended keeps it for a moment
				time.Sleep(time.Millisecond)
			}
		}
	})
	return dir
}

// start runs a shell in a control group, which reads its script from the pipe that is returned.
func start(t *testing.T, cgroup string) (*os.File, *exec.Cmd) {
	t.Helper()
	dir, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-s")
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() {
		w.Close()
		_ = cmd.Process.Kill() // it has ended, unless the test has failed
		_ = cmd.Wait()
	})
	return w, cmd
}

// TestRun records a service that runs already: what it holds, what it does, and how often over two observations.
func TestRun(t *testing.T) {
	cgroup, dir := newCgroup(t), t.TempDir()
	fifo := filepath.Join(dir, "ready")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	script, cmd := start(t, cgroup)
	say := func(text string) {
		t.Helper()
		if _, err := script.WriteString(text + "\necho >" + fifo + "\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.ReadFile(fifo); err != nil { // ends when the service has done it
			t.Fatal(err)
		}
	}
	say("exec 7>" + dir + "/held")
	r := recorder.Recorder{
		Unit: "x.service", Cgroup: cgroup, Root: host.At(""), Store: needs.Store{Root: host.At(t.TempDir())},
		Every: 10 * time.Millisecond,
	}
	for i := range 2 {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { _, err := r.Run(ctx); done <- err }()
		for begun := false; !begun; {
			record, err := r.Store.Get(r.Unit)
			if err != nil || t.Context().Err() != nil {
				t.Fatal(err)
			}
			begun = slices.ContainsFunc(record.Needs, func(n needs.Need) bool {
				return n.Subject == dir+"/held" && n.Count == uint64(i)+1
			})
			select {
			case err := <-done:
				t.Fatalf("observation %d ended: %v", i, err)
			case <-time.After(time.Millisecond):
			}
		}
		say(": >" + dir + "/written; mount --version >" + dir + "/$$")
		say("kill -0 1; read x </proc/1/comm; read x </proc/$$/comm")
		stop()
		if err := <-done; err != nil {
			t.Fatalf("observation %d: %v", i, err)
		}
	}
	script.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	record, err := r.Store.Get(r.Unit)
	if err != nil || record.Lost > 0 {
		t.Fatalf("%v, %d lost", err, record.Lost)
	}
	got := map[string]uint64{}
	for _, n := range record.Needs {
		got[n.String()] = n.Count
	}
	mount, err := exec.LookPath("mount")
	if err != nil {
		t.Fatal(err)
	}
	for want, n := range map[string]uint64{
		"path-readonly " + dir + "/held":    2, // once for each observation
		"path-readonly " + dir + "/written": 2,
		"path-noexec " + mount:              2,
		"new-privileges " + mount:           2, // it is setuid
		"process-hidden /proc/PID/comm":     2, // of process 1, and not of its own
		"syscall kill":                      2,
	} {
		if got[want] != n {
			t.Errorf("%s: %d times, want %d", want, got[want], n)
		}
	}
	if t.Failed() {
		t.Logf("%v", got)
	}
}

// TestEnds: the recording ends when the service has, and says so where it cannot begin.
func TestEnds(t *testing.T) {
	r := recorder.Recorder{
		Unit: "x.service", Cgroup: newCgroup(t), Root: host.At(""), Store: needs.Store{Root: host.At(t.TempDir())},
		Every: time.Millisecond, Ended: func(context.Context) (bool, error) { return true, nil },
	}
	record, err := r.Run(t.Context())
	if err != nil || !record.Observed() {
		t.Errorf("%+v, %v", record, err)
	}
	gone := errors.New("the bus has gone")
	r.Ended = func(context.Context) (bool, error) { return false, gone }
	if _, err := r.Run(t.Context()); !errors.Is(err, gone) {
		t.Errorf("got %v", err)
	}
	if _, err := recorder.Cgroup("/no-such.slice"); !errors.Is(err, witness.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}
