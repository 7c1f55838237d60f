package shared

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"temper/internal/testroot"
)

// bounds are what takes a resource away in a user namespace: a file of /proc/sys/user, or a resource of getrlimit(2).
var bounds = map[string]struct {
	file  string
	limit int
}{
	"inotify instances":  {file: "max_inotify_instances"},
	"inotify watches":    {file: "max_inotify_watches"},
	"pending signals":    {limit: unix.RLIMIT_SIGPENDING},
	"cgroup namespaces":  {file: "max_cgroup_namespaces"},
	"pid namespaces":     {file: "max_pid_namespaces"},
	"time namespaces":    {file: "max_time_namespaces"},
	"uts namespaces":     {file: "max_uts_namespaces"},
	"ipc namespaces":     {file: "max_ipc_namespaces"},
	"mount namespaces":   {file: "max_mnt_namespaces"},
	"network namespaces": {file: "max_net_namespaces"},
	"user namespaces":    {file: "max_user_namespaces"},
}

// TestTake: each resource is there, is not where the kernel gives none, and is there again; that another is gone says
// nothing.
func TestTake(t *testing.T) {
	testroot.NeedFor(t, "make a user namespace")
	if os.Getenv("IN_NAMESPACE") != "" {
		takeAll(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestTake$", "-test.v")
	cmd.Env = append(os.Environ(), "IN_NAMESPACE=1")
	mapping := []syscall.SysProcIDMap{{Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER, UidMappings: mapping, GidMappings: mapping, GidMappingsEnableSetgroups: true,
	}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func takeAll(t *testing.T) {
	for _, r := range resources {
		if err := r.take(); err != nil {
			t.Errorf("%s: %v", r.name, err)
		}
		if r.name == "asynchronous I/O" {
			continue // for all, without a namespace
		}
		bound := bounds[r.name]
		giveBack := limit(t, bound.limit)
		if bound.file != "" {
			giveBack = write(t, "/proc/sys/user/"+bound.file, "0")
		}
		for _, other := range resources {
			if err := other.take(); errors.Is(err, other.none) != (other.name == r.name) {
				t.Errorf("without %s: %s: %v", r.name, other.name, err)
			}
		}
		giveBack()
		if err := r.take(); err != nil {
			t.Errorf("%s are back: %v", r.name, err)
		}
	}
}

func write(t *testing.T, name, value string) (undo func()) {
	t.Helper()
	old, err := os.ReadFile(name)
	if err == nil {
		err = os.WriteFile(name, []byte(value), 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = os.WriteFile(name, old, 0) }
}

func limit(t *testing.T, which int) (undo func()) {
	t.Helper()
	if which == 0 {
		return func() {}
	}
	var old unix.Rlimit
	err := unix.Getrlimit(which, &old)
	if err == nil {
		err = unix.Setrlimit(which, &unix.Rlimit{Max: old.Max})
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { _ = unix.Setrlimit(which, &old) }
}

func TestEnough(t *testing.T) {
	for _, tc := range []struct {
		taken, most int
		want        error
	}{
		{0, 65536, nil},
		{65536 - 4096, 65536, nil},
		{65536 - 4095, 65536, unix.EAGAIN},
		{65536 - 63, 65536, unix.EAGAIN}, // what is left by who takes 64 at a time
		{900, 1024, nil},
		{1000, 1024, unix.EAGAIN},
		{65600, 65536, unix.EAGAIN},
	} {
		if got := enough(tc.taken, tc.most); !errors.Is(got, tc.want) {
			t.Errorf("%d of %d: %v, want %v", tc.taken, tc.most, got, tc.want)
		}
	}
}

// TestPatience: + is an asking that found one, - one that found none, ? one that failed otherwise; each half a second
// after the other.
func TestPatience(t *testing.T) {
	for _, tc := range []struct {
		name, askings string
		since         time.Duration
		want          int // after so many the container ends; 0 for never
	}{
		{"all is taken", "+-------", often, 8},
		{"it was never there", "------------------", often, 0},
		{"nothing is known", "+??????????????????", often, 0},
		{"nothing was known", "?------------------", often, 0},
		{"one is freed now and then", "+-----+-----+-----", often, 10},
		{"one is freed every other time", strings.Repeat("+-", 10), often, 18},
		{"others take the last now and then", "+--++++++++--++++++++--++++++++--++++++++", often, 0},
		{"this process was stopped", "+--", time.Hour, 0},
		{"asked late", "+----", 2 * time.Second, 5},
	} {
		var l lack
		got := 0
		for i, asking := range tc.askings {
			next := l.asked(asking == '-', asking == '+', tc.since, seldom)
			if l.missed >= patience+often && got == 0 {
				got = i + 1
			}
			if want := map[bool]time.Duration{true: often, false: seldom}[l.missed > 0]; next != want {
				t.Errorf("%s: after %d it is asked again in %s, want %s", tc.name, i+1, next, want)
			}
		}
		if got != tc.want {
			t.Errorf("%s: it ended after %d, want %d", tc.name, got, tc.want)
		}
	}
}

// TestHeldBy: what a process holds is seen, and a look at very many descriptors ends soon.
func TestHeldBy(t *testing.T) {
	testroot.NeedFor(t, "see what is mapped")
	r := resource{link: link{"fd", "anon_inode:[eventfd]"}, many: 300}
	self := []int{os.Getpid()}
	if r.heldBy(self) {
		t.Error("held before")
	}
	descriptors(t, 300, func() (int, error) { return unix.Eventfd(0, unix.EFD_CLOEXEC) })
	if !r.heldBy(self) {
		t.Error("not seen")
	}
	if !r.heldBy([]int{1 << 30, self[0]}) {
		t.Error("not seen after a process that has ended")
	}
	none := resource{link: link{"fd", "nothing"}, many: 1}
	descriptors(t, 5_000, func() (int, error) { return unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	many := make([]int, 2048)
	for i := range many {
		many[i] = self[0]
	}
	begin := time.Now()
	if none.heldBy(many) {
		t.Error("held what there is not")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("a look at ten million descriptors took %s", took)
	}

	aio := resource{link: link{"map_files", "/[aio]"}, many: 1}
	if aio.heldBy(self) {
		t.Error("asynchronous I/O before")
	}
	var context uintptr
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 8, uintptr(unsafe.Pointer(&context)), 0); errno != 0 {
		t.Fatal(errno)
	}
	defer unix.Syscall(unix.SYS_IO_DESTROY, context, 0, 0)
	if !aio.heldBy(self) {
		t.Error("asynchronous I/O is not seen")
	}
}

func descriptors(t *testing.T, n int, open func() (int, error)) {
	t.Helper()
	for range n {
		fd, err := open()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Close(fd) })
	}
}
