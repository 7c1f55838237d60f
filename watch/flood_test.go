package watch_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/refusallog"
	"temper/internal/testroot"
	"temper/watch"
)

// TestMain runs this program as the parts of a test that need a process of their own.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv("TEMPER_TEST_AS") {
	case "":
		os.Exit(m.Run())
	case "watch":
		err = watchAlone(os.Args[1], os.Args[2])
	case "flood":
		err = flood(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// as is the command that runs this program as a part of a test.
func as(part string, args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", args...)
	c.Env = []string{"TEMPER_TEST_AS=" + part, "GOMEMLIMIT=12MiB"} // as in temper-watch.service
	c.Stderr = os.Stderr
	return c
}

// watchAlone watches the machine of a directory as temper-watch.service does.
func watchAlone(root, cgroups string) error {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	at := host.At(root)
	return watch.Run(ctx, watch.Options{
		Cgroups: cgroups, Plans: watch.Machine{Root: at, Files: at, Version: 257}, Log: &refusallog.Store{Root: at},
		Reporter: watch.Lines{Out: os.Stdout, Talk: os.Stdout},
		Ready:    func() { fmt.Println("ready") },
	})
}

// flood tries to make many directories.
func flood(dir, count string) error {
	n, err := strconv.Atoi(count)
	for i := 0; i < n && err == nil; i++ {
		if got := unix.Mkdir(fmt.Sprintf("%s/%d%s", dir, i, strings.Repeat("x", 200)), 0o700); got != unix.EROFS {
			err = fmt.Errorf("got %w, want EROFS", got)
		}
	}
	return err
}

// newCgroup makes a cgroup for one test.
func newCgroup(t *testing.T) string {
	t.Helper()
	testroot.NeedFor(t, "make cgroups and load eBPF programs")
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil || len(mounts) == 0 {
		t.Fatalf("no cgroup2 file system is mounted (%v)", err)
	}
	dir, err := os.MkdirTemp(mounts[0].Mountpoint, "temper-watch-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeCgroup(t, dir) })
	return dir
}

// removeCgroup removes a cgroup and those below it. A process that has just ended keeps it busy for a moment.
func removeCgroup(t *testing.T, dir string) {
	t.Helper()
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			removeCgroup(t, filepath.Join(dir, e.Name()))
		}
	}
	for range 500 {
		err := unix.Rmdir(dir)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EBUSY) {
			t.Error(err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s stays busy", dir)
}

// readOnly mounts an empty read-only file system.
func readOnly(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", unix.MS_RDONLY, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// machine makes a root directory with a service that runs hardened.
func machine(t *testing.T, dropin string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"/usr/lib/systemd/system/web.service":                 "[Service]\nExecStart=/bin/true\n",
		"/run/systemd/generator/web.service.d/50-temper.conf": "[Service]\n" + dropin,
	} {
		if err := os.MkdirAll(filepath.Dir(root+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// within makes a command run in a cgroup.
func within(t *testing.T, cgroup string, c *exec.Cmd) *exec.Cmd {
	t.Helper()
	dir, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	return c
}

// mostMemory is how much memory a watch may ever have had, in KiB.
const mostMemory = 24 << 10

// TestFlood: a service that is refused things as fast as it can neither makes the watch grow beyond its limit nor its
// log, and every refusal is counted.
func TestFlood(t *testing.T) {
	top, dir := newCgroup(t), readOnly(t)
	root := machine(t, "ReadOnlyPaths="+dir+"\n")
	if err := os.MkdirAll(root+dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cgroup := top + "/system.slice/web.service"
	watcher := as("watch", root, top)
	out, err := watcher.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watcher.Start(); err != nil {
		t.Fatal(err)
	}
	defer watcher.Process.Kill()
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("the watch said %q", lines.Text())
	}
	if err := os.MkdirAll(cgroup, 0o755); err != nil { // the service appears, in a slice that appears
		t.Fatal(err)
	}
	const many = 20000
	first, lost := make(chan bool, 1), uint64(0)
	go func() {
		first <- lines.Scan()
		for lines.Scan() {
			var n uint64
			if _, err := fmt.Sscanf(lines.Text(), "temper: %d refusals were lost", &n); err == nil {
				lost += n
			}
		}
		close(first)
	}()
	for seen := false; !seen; { // until it is followed; each try is refused and counted
		if err := within(t, cgroup, as("flood", dir, "1")).Run(); err != nil {
			t.Fatal(err)
		}
		select {
		case seen = <-first:
		default:
		}
	}
	if err := within(t, cgroup, as("flood", dir, strconv.Itoa(many))).Run(); err != nil {
		t.Fatal(err)
	}
	peak := memoryPeak(t, watcher.Process.Pid)
	if err := watcher.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range first {
	}
	if err := watcher.Wait(); err != nil {
		t.Fatal(err)
	}
	log, err := refusallog.Store{Root: host.At(root)}.Get("web.service")
	if err != nil {
		t.Fatal(err)
	}
	sum := log.Summary()
	t.Logf("%d KiB; %d refusals of %d calls, %d missed, %d lost", peak, len(log.Refusals), sum.Calls, log.Missed, lost)
	if peak > mostMemory && !withRace {
		t.Errorf("the watch had %d KiB, want %d at most", peak, mostMemory)
	}
	if all := sum.Calls + log.Missed + lost; all < many {
		t.Errorf("%d calls are counted, want %d", all, many)
	}
	if len(log.Refusals) == 0 || len(log.Refusals) > refusallog.MaxRefusals {
		t.Errorf("%d refusals, want up to %d", len(log.Refusals), refusallog.MaxRefusals)
	}
}

// memoryPeak is the most memory that a process has had, in KiB.
func memoryPeak(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
