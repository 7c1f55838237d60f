package witness_test

import (
	"errors"
	"io"
	"math"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/harness/witness"
	"temper/internal/testroot"
)

// monitored is what a monitor has reported: cgroup names with denials.
type monitored struct {
	mu    sync.Mutex
	lines []string
	count map[string]int
	done  chan struct{}
}

// monitor starts a monitor whose reports are collected until it is closed.
func monitor(t *testing.T, names map[uint64]string) (*witness.Monitor, *monitored) {
	t.Helper()
	m, err := witness.NewMonitor()
	if err != nil {
		t.Fatal(err)
	}
	got := &monitored{count: map[string]int{}, done: make(chan struct{})}
	go func() {
		defer close(got.done)
		var record ringbuf.Record
		for {
			id, d, err := m.Read(&record)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					t.Error(err)
				}
				return
			}
			d.Process = "x"
			got.mu.Lock()
			if line := names[id] + " " + d.String(); got.count[line] == 0 {
				got.lines = append(got.lines, line)
			}
			got.count[names[id]+" "+d.String()]++
			got.mu.Unlock()
		}
	}()
	return m, got
}

// await waits until what was reported fits.
func (m *monitored) await(t *testing.T, what string, fits func(lines []string) bool) {
	t.Helper()
	for range 6000 {
		m.mu.Lock()
		ok := fits(m.lines)
		m.mu.Unlock()
		if ok {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: %q", what, m.lines)
}

func cgroupID(t *testing.T, dir string) uint64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat(dir, &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Ino
}

// TestMonitor: a monitor reports the refusals of the cgroups that it follows and of those below them, each as of the
// nearest, with the paths and arguments; those that the plan cannot cause and those of other cgroups it does not.
func TestMonitor(t *testing.T) {
	top := newCgroup(t)
	for _, dir := range []string{"/a", "/a/below", "/a/own", "/b", "/c"} {
		if err := os.Mkdir(top+dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a, own, c := cgroupID(t, top+"/a"), cgroupID(t, top+"/a/own"), cgroupID(t, top+"/c")
	m, got := monitor(t, map[uint64]string{a: "a", own: "own", c: "c"})
	follow := func(id uint64, errnos []unix.Errno) {
		t.Helper()
		if err := m.Follow(id, errnos); err != nil {
			t.Fatal(err)
		}
	}
	follow(a, witness.AllErrnos())
	follow(own, witness.AllErrnos())
	follow(c, []unix.Errno{unix.EROFS})
	ro := readOnly(t)
	for _, do := range []struct {
		cgroup, name string
		args         []string
	}{
		{"/a/below", "readonly", []string{ro}},
		{"/a", "filter", nil},
		{"/a", "kill", nil}, // the filter kills it, so that it fails
		{"/a/own", "missing", []string{"/etc/temper-nothing"}},
		{"/b", "missing", []string{"/etc/temper-other"}},
		{"/c", "missing", []string{"/etc/temper-unwanted"}},
		{"/c", "readonly", []string{ro}},
	} {
		if err := run(t, top+do.cgroup, provoke(do.name, do.args...)); (err != nil) != (do.name == "kill") {
			t.Fatalf("%s: %v", do.name, err)
		}
	}
	want := []string{
		`a x: openat("` + ro + `/file", 0x41, 0x180): EROFS`,
		`a x: renameat("` + ro + `/a", "` + ro + `/b"): EROFS`,
		"a x: socket(AF_INET6, 0x2, 0x0): EAFNOSUPPORT",
		"a x: unshare(0x50000000): EPERM",
		"a x: acct(): SIGSYS",
		`own x: openat("/etc/temper-nothing", 0x0, 0x0): ENOENT`,
		`c x: openat("` + ro + `/file", 0x41, 0x180): EROFS`,
		`c x: renameat("` + ro + `/a", "` + ro + `/b"): EROFS`,
	}
	got.await(t, "the last refusal is missing", func(lines []string) bool {
		return slices.Contains(lines, want[len(want)-1])
	})
	if err := m.Forget(own); err != nil {
		t.Fatal(err)
	}
	if err := run(t, top+"/a/own", provoke("missing", "/etc/temper-later")); err != nil {
		t.Fatal(err)
	}
	want = append(want, `a x: openat("/etc/temper-later", 0x0, 0x0): ENOENT`) // the nearest that is followed now
	got.await(t, "the refusal after Forget is missing", func(lines []string) bool {
		return slices.Contains(lines, want[len(want)-1])
	})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	<-got.done
	other := func(line string) bool { return !slices.Contains(want, line) }
	expected := slices.DeleteFunc(slices.Clone(got.lines), other)
	if diff := cmp.Diff(want, expected); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, line := range got.lines { // the Go runtime and the loader are refused things, too
		if slices.Contains([]string{"", "b", "c"}, line[:max(0, slices.Index([]byte(line), ' '))]) &&
			!slices.Contains(want, line) {
			t.Errorf("reported %s", line)
		}
	}
}

// TestMonitorFlood: each refusal of a flood is reported, or counted.
func TestMonitorFlood(t *testing.T) {
	top := newCgroup(t)
	id := cgroupID(t, top)
	m, got := monitor(t, map[uint64]string{id: "a"})
	if err := m.Follow(id, []unix.Errno{unix.ENOENT, unix.EROFS}); err != nil {
		t.Fatal(err)
	}
	const many = 30000
	if err := run(t, top, provoke("flood", "30000")); err != nil {
		t.Fatal(err)
	}
	if err := run(t, top, provoke("readonly", readOnly(t))); err != nil { // another error has its own limit
		t.Fatal(err)
	}
	got.await(t, "the flood hid another refusal", hasEROFS)
	suppressed, err := m.Suppressed(id)
	if err != nil {
		t.Fatal(err)
	}
	dropped, err := m.Dropped()
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	<-got.done
	reported := uint64(0)
	for line, n := range got.count {
		if !hasEROFS([]string{line}) {
			reported += uint64(n)
		}
	}
	t.Logf("%d reported, %d suppressed, %d lost", reported, suppressed, dropped)
	if all := reported + suppressed + dropped; all < many || suppressed == 0 {
		t.Errorf("want %d in all, and some suppressed", many)
	}
}

func hasEROFS(lines []string) bool {
	return slices.ContainsFunc(lines, func(l string) bool { return len(l) > 5 && l[len(l)-5:] == "EROFS" })
}

// BenchmarkWatch measures what a monitor costs the system calls of others, in one run with and without by turns: at
// most 50 ns where they succeed and 80 ns where they fail. What else goes on on the machine only makes calls slower, so
// that the quickest ones are compared. How much of that a program which does nothing costs is shown too.
func BenchmarkWatch(b *testing.B) {
	testroot.NeedFor(b, "load eBPF programs")
	stayOnOneProcessor(b)
	calls := []struct {
		name string
		most float64
		call func()
	}{
		{"success", 50, func() { _, _, _ = syscall.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) }},
		{"failure", 80, func() { _, _, _ = syscall.RawSyscall(unix.SYS_CHDIR, 0, 0, 0) }}, // EFAULT is no refusal
		{"missing", 80, func() { _ = unix.Access("/temper-nothing", 0) }},                 // ENOENT: looked up
	}
	for _, c := range calls {
		b.Run(c.name, func(b *testing.B) {
			without, nothing, with := math.MaxFloat64, math.MaxFloat64, math.MaxFloat64
			for b.Loop() {
				without = min(without, perCall(c.call))
				nothing = min(nothing, perCallWith(b, witness.AttachNothing, c.call))
				with = min(with, perCallWith(b, func() (io.Closer, error) { return witness.NewMonitor() }, c.call))
			}
			b.ReportMetric(without, "ns/call")
			b.ReportMetric(nothing-without, "tracepoint-ns/call")
			b.ReportMetric(with-without, "extra-ns/call")
			if with-without > c.most {
				b.Errorf("costs %.0f ns (the tracepoint alone %.0f), want %.0f at most",
					with-without, nothing-without, c.most)
			}
		})
	}
}

// perCallWith is the time that one call takes while a program is attached.
func perCallWith(b *testing.B, attach func() (io.Closer, error), call func()) float64 {
	b.Helper()
	attached, err := attach()
	if err != nil {
		b.Fatal(err)
	}
	took := perCall(call)
	if err := attached.Close(); err != nil {
		b.Fatal(err)
	}
	return took
}

// stayOnOneProcessor keeps the benchmark where it runs: processors differ in speed, and moving costs time.
func stayOnOneProcessor(b *testing.B) {
	b.Helper()
	runtime.LockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		b.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if before.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		b.Fatal(err)
	}
}

// perCall is the time that one call takes, the best of many short rounds: others use the machine too.
func perCall(call func()) float64 {
	const rounds, calls = 300, 200
	best := time.Hour
	for range rounds {
		began := time.Now()
		for range calls {
			call()
		}
		best = min(best, time.Since(began))
	}
	return float64(best.Nanoseconds()) / calls
}
