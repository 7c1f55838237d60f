package witness_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/harness/witness"
	"temper/internal/elf32"
	"temper/internal/scarce"
	"temper/internal/testroot"
	"temper/internal/values"
)

// newCgroup makes a cgroup for one test below the root of the cgroup2 file system.
func newCgroup(t *testing.T) string {
	t.Helper()
	testroot.NeedFor(t, "make cgroups and load eBPF programs")
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil || len(mounts) == 0 {
		t.Fatalf("no cgroup2 file system is mounted (%v)", err)
	}
	dir, err := os.MkdirTemp(mounts[0].Mountpoint, "temper-witness-test-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// removeAll removes a cgroup and those below it. A process that has just ended may keep its cgroup busy for a moment.
func removeAll(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeAll(filepath.Join(dir, e.Name())))
		}
	}
	for range 100 {
		rerr := unix.Rmdir(dir)
		if !errors.Is(rerr, unix.EBUSY) {
			return errors.Join(err, rerr)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s stays busy", dir)
}

func watch(t *testing.T, cgroup string) *witness.Witness {
	t.Helper()
	w, err := witness.Start(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func stop(t *testing.T, w *witness.Witness) witness.Record {
	t.Helper()
	r, err := w.Stop()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs a command in a cgroup, which it makes if it is not there.
func run(t *testing.T, cgroup string, cmd *exec.Cmd) error {
	t.Helper()
	if err := os.Mkdir(cgroup, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	dir, err := os.Open(cgroup)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, out.String())
	}
	return nil
}

// provoke is the command that provokes one denial.
func provoke(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = []string{"TEMPER_PROVOKE=" + name}
	return cmd
}

// asNobody removes the privileges of a command.
func asNobody(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	return cmd
}

// TestDenials provokes every kind of denial with a real program and wants exactly what it did.
func TestDenials(t *testing.T) {
	cgroup := newCgroup(t)
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	ro, secret, plain, closed := readOnly(t), file(t, 0o600), file(t, 0o644), filepath.Dir(file(t, 0o644))
	theirs := file(t, 0o600)
	if err := errors.Join(os.Chmod(closed, 0o700), os.Chown(theirs, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	// whereKnown chooses what is wanted from a kernel that reports capabilities, and from one that does not.
	whereKnown := func(yes, no string) string {
		if tellsCapabilities(t) {
			return yes
		}
		return no
	}
	open := "openat" // unix.Open is openat(2) everywhere
	tests := []struct {
		name string
		cmd  *exec.Cmd
		want []string // denials with what may have refused them
	}{
		{"missing", provoke("missing", "/etc/temper-nothing"), []string{
			open + `("/etc/temper-nothing", 0x0, 0x0): ENOENT: path-hidden /etc/temper-nothing`,
		}},
		{"device", provoke("missing", "/dev/temper-nothing"), []string{
			open + `("/dev/temper-nothing", 0x0, 0x0): ENOENT: device /dev/temper-nothing, path-hidden /dev/temper-nothing`,
		}},
		{"relative", provoke("relative", dir), []string{
			fmt.Sprintf(`newfstatat(%q): ENOENT: path-hidden %[1]s`, dir+"/here/nothing"),
			fmt.Sprintf(`openat(%q, 0x0, 0x0): ENOENT: path-hidden %[1]s`, dir+"/sub/nothing"),
		}},
		{"read-only", provoke("readonly", ro), []string{
			fmt.Sprintf(`openat(%q, 0x41, 0x180): EROFS: path-readonly %[1]s`, ro+"/file"),
			fmt.Sprintf(`renameat(%q, %q): EROFS: path-readonly %[1]s, path-readonly %[2]s`, ro+"/a", ro+"/b"),
		}},
		{"no access", asNobody(provoke("denied", secret)), []string{
			fmt.Sprintf(`openat(%q, 0x0, 0x0): EACCES: path-hidden %[1]s, capability CAP_DAC_OVERRIDE, new-privileges provoke`, secret),
		}},
		{"no access of root", provoke("powerless", theirs), []string{
			fmt.Sprintf(`openat(%q, 0x0, 0x0): EACCES: path-hidden %[1]s, capability CAP_DAC_READ_SEARCH, capability CAP_DAC_OVERRIDE, new-privileges exe`, theirs),
		}},
		{"no access to write", asNobody(provoke("write", plain)), []string{
			fmt.Sprintf(`openat(%q, 0x1, 0x0): EACCES: path-hidden %[1]s, capability CAP_DAC_OVERRIDE, new-privileges provoke`, plain),
		}},
		{"no access to the directory", asNobody(provoke("write", closed+"/x")), []string{
			fmt.Sprintf(`openat(%q, 0x1, 0x0): EACCES: path-hidden %[1]s, capability CAP_DAC_OVERRIDE, new-privileges provoke`, closed+"/x"),
		}},
		{"another's time of access", asNobody(provoke("noatime", plain)), []string{
			fmt.Sprintf(`openat(%q, 0x40000, 0x0): EPERM: file-system %[1]s%[2]s`, plain,
				whereKnown(", capability CAP_FOWNER", "")),
		}},
		{"capabilities at once", provoke("regain"), []string{
			`capset(CAP_SYS_CHROOT, CAP_AUDIT_READ): EPERM: capability CAP_SYS_CHROOT, capability CAP_AUDIT_READ` +
				`, capability CAP_SETPCAP, new-privileges exe`,
		}},
		{"memory", asNobody(provoke("lock")), []string{`mlock(): ENOMEM: capability CAP_IPC_LOCK`}},
		{"capability", asNobody(provoke("chown", plain)), []string{
			fmt.Sprintf(`fchownat(%q, 0x0, 0x0): EPERM: capability CAP_CHOWN`, plain),
		}},
		{"uid", asNobody(provoke("setuid")), []string{
			`setreuid(0xffffffff, 0x0): EPERM: capability CAP_SETUID, new-privileges provoke`,
		}},
		{"bind", provoke("bind"), []string{`bind("192.0.2.7:4321"): EADDRNOTAVAIL: network 192.0.2.7:4321`}},
		{"connect", provoke("connect", "/run/temper.sock"), []string{
			`connect("@temper-nobody"): ECONNREFUSED: network @temper-nobody`,
			`connect("/run/temper.sock"): ENOENT: path-hidden /run/temper.sock`,
		}},
		{"program", provoke("noexec", plain), []string{
			fmt.Sprintf(`execve(%q): EACCES: path-noexec %[1]s, path-hidden %[1]s%[2]s`, plain,
				whereKnown("", ", capability CAP_DAC_OVERRIDE")),
		}},
		{"filter", provoke("filter"), []string{
			`unshare(0x50000000): EPERM: namespace net, namespace user, syscall unshare`,
			`socket(AF_INET6, 0x2, 0x0): EAFNOSUPPORT: family AF_INET6, syscall socket`,
		}},
		{"clone3", provoke("clone3"), []string{`clone3(): ENOSYS: namespace user, syscall clone3`}},
		{
			"realtime", provoke("realtime"),
			[]string{`sched_setscheduler(0x2): EPERM: realtime SCHED_RR, syscall sched_setscheduler`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.cmd.SysProcAttr != nil {
				openUp(t, test.cmd)
			}
			baseline := quiet(t, cgroup+"/unit", test.cmd)
			baseline.Granted = values.AllCapabilities // as without hardening
			w := watch(t, cgroup+"/unit")
			err := run(t, cgroup+"/unit", test.cmd)
			r := stop(t, w)
			if err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(test.want, telling(r.Minus(baseline))); diff != "" {
				t.Errorf("denials (-want +got):\n%s", diff)
			}
			if r.Dropped != 0 {
				t.Errorf("%d events were dropped", r.Dropped)
			}
		})
	}
}

// tellsCapabilities reports whether the running kernel reports which capabilities a call lacks: Linux 6.14 and later.
func tellsCapabilities(t *testing.T) bool {
	t.Helper()
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor); err != nil {
		t.Fatal(err)
	}
	return major > 6 || major == 6 && minor >= 14
}

// TestGranted: the capabilities of which a service made use are known, and another that it lacks later is no suspect. A
// kernel before 6.14 does not report them, and nothing is known then.
func TestGranted(t *testing.T) {
	cgroup := newCgroup(t)
	theirs := file(t, 0o600)
	if err := os.Chown(theirs, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	record := func(cmd *exec.Cmd) witness.Record {
		w := watch(t, cgroup+"/unit")
		if err := run(t, cgroup+"/unit", cmd); err != nil {
			t.Error(err)
		}
		return stop(t, w)
	}
	search, override := values.CapabilitySet("CAP_DAC_READ_SEARCH"), values.CapabilitySet("CAP_DAC_OVERRIDE")
	reads, writes := record(provoke("read", theirs)), record(provoke("append", theirs))
	if known := tellsCapabilities(t); !known {
		if reads.GrantedKnown || reads.Granted != 0 {
			t.Errorf("known to be granted on a kernel that does not report it: %s", reads.Granted)
		}
		return
	}
	if !reads.Granted.Has(search) || reads.Granted.Has(override) {
		t.Errorf("reading another's file: %s", reads.Granted)
	}
	if !writes.Granted.Has(override) || writes.Granted.Has(search) {
		t.Errorf("writing another's file: %s", writes.Granted)
	}
	denied := record(provoke("powerless", theirs))
	for baseline, want := range map[*witness.Record]string{
		&reads:  "capability CAP_DAC_READ_SEARCH, ",
		&writes: "capability CAP_DAC_OVERRIDE, ",
	} {
		want = fmt.Sprintf(`openat(%q, 0x0, 0x0): EACCES: path-hidden %[1]s, %[2]snew-privileges exe`, theirs, want)
		if got := telling(denied.Minus(*baseline)); !slices.Contains(got, want) {
			t.Errorf("got %q, want %s", got, want)
		}
	}
}

// TestOlderKernel: the error says whether the kernel lacks a tracepoint or it cannot be used.
func TestOlderKernel(t *testing.T) {
	newCgroup(t) // says what it needs
	if err := witness.RunUnknown(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

// openUp makes a copy of the test binary that everybody may run.
func openUp(t *testing.T, cmd *exec.Cmd) {
	data, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path = filepath.Join(filepath.Dir(file(t, 0o755)), "provoke")
	if err := os.WriteFile(cmd.Path, data, 0o755); err != nil {
		t.Fatal(err)
	}
}

// quiet records the denials of a command that provokes none itself: the loader and the Go runtime search for files too.
func quiet(t *testing.T, cgroup string, like *exec.Cmd) witness.Record {
	t.Helper()
	cmd := provoke("nothing")
	cmd.Path, cmd.SysProcAttr = like.Path, like.SysProcAttr
	w := watch(t, cgroup)
	err := run(t, cgroup, cmd)
	r := stop(t, w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// telling are the denials with what may have refused them.
func telling(r witness.Record) []string {
	var all []string
	for _, d := range r.Denials {
		if d.Errno == "EINVAL" {
			continue // of clone3, whose flags are meant to be impossible
		}
		var why []string
		for _, w := range d.Restrictions() {
			why = append(why, w.String())
		}
		_, what, _ := strings.Cut(d.String(), ": ")
		all = append(all, what+": "+strings.Join(why, ", "))
	}
	return all
}

func TestDeathByFilter(t *testing.T) {
	cgroup := newCgroup(t)
	baseline := quiet(t, cgroup+"/unit", provoke("kill"))
	w := watch(t, cgroup+"/unit")
	err := run(t, cgroup+"/unit", provoke("kill"))
	r := stop(t, w)
	if ee, ok := errors.AsType[*exec.ExitError](err); !ok || ee.Sys().(syscall.WaitStatus).Signal() != unix.SIGSYS {
		t.Fatalf("got %v, want a death by SIGSYS", err)
	}
	if diff := cmp.Diff([]string{`acct(): SIGSYS: syscall acct`}, telling(r.Minus(baseline))); diff != "" {
		t.Errorf("denials (-want +got):\n%s", diff)
	}
}

// A 32-bit program has other numbers for its calls; they must not be taken for native ones.
func TestForeignCall(t *testing.T) {
	cgroup := newCgroup(t)
	name := filepath.Join(t.TempDir(), "foreign")
	if err := os.WriteFile(name, elf32.Program("/nothing/here"), 0o755); err != nil {
		t.Fatal(err)
	}
	w := watch(t, cgroup+"/unit")
	err := run(t, cgroup+"/unit", exec.Command(name))
	r := stop(t, w)
	if errors.Is(err, unix.ENOEXEC) {
		t.Log("this kernel runs no 32-bit programs: none can be refused anything")
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"amd64": "x86 call 5(): ENOENT: ", "arm64": "arm call 5(): ENOENT: "}[runtime.GOARCH]
	if diff := cmp.Diff([]string{want}, telling(r)); diff != "" {
		t.Errorf("denials (-want +got):\n%s", diff)
	}
}

// TestScope: the cgroups below the watched one belong to it, those beside it and the parent do not.
func TestScope(t *testing.T) {
	parent := newCgroup(t)
	t.Run("shallow", func(t *testing.T) { scope(t, parent) })
	for range 20 {
		parent += "/d"
		if err := os.Mkdir(parent, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// So deep that the program does not find it: what is below the unit cannot be told from what is beside it.
	t.Run("deep", func(t *testing.T) { scope(t, parent) })
}

func scope(t *testing.T, parent string) {
	unit := parent + "/unit"
	w := watch(t, unit)
	if err := os.Mkdir(unit, 0o755); err != nil {
		t.Fatal(err)
	}
	places := map[string]string{"/in": unit, "/below": unit + "/below", "/beside": parent + "/other", "/parent": parent}
	for path, cgroup := range places {
		if err := run(t, cgroup, provoke("missing", path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := provoke("missing", "/outside").Run(); err != nil {
		t.Fatal(err)
	}
	// systemd removes the cgroup of a unit that it stops and makes a new one when it starts it again.
	if err := removeAll(unit); err != nil {
		t.Fatal(err)
	}
	if err := run(t, unit, provoke("missing", "/again")); err != nil {
		t.Fatal(err)
	}
	r := stop(t, w)
	var got []string
	for _, d := range r.Denials {
		if d.Syscall == "openat" && strings.Count(d.Path, "/") == 1 {
			got = append(got, d.Path)
		}
	}
	if diff := cmp.Diff([]string{"/again", "/below", "/in"}, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestCounts(t *testing.T) {
	cgroup := newCgroup(t)
	w := watch(t, cgroup+"/unit")
	for range 3 {
		if err := run(t, cgroup+"/unit", provoke("missing", "/thrice")); err != nil {
			t.Fatal(err)
		}
	}
	r := stop(t, w)
	i := slices.IndexFunc(r.Denials, func(d witness.Denial) bool { return d.Path == "/thrice" })
	if i < 0 || r.Denials[i].Count != 3 || r.Denials[i].PID == 0 {
		t.Errorf("got %+v, want one denial that happened 3 times", r.Denials)
	}
}

// TestStartErrors: the error says whether the machine has no witness or the cgroup is none.
func TestStartErrors(t *testing.T) {
	cgroup := newCgroup(t)
	cmd := asNobody(provoke("start", cgroup+"/unit"))
	openUp(t, cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("without privileges: %v: %s", err, out)
	}
	for _, path := range []string{t.TempDir() + "/unit", "unit"} {
		w, err := witness.Start(path)
		if err == nil {
			w.Stop()
			t.Fatalf("%s: got no error, want one", path)
		}
		if errors.Is(err, witness.ErrUnsupported) || !strings.Contains(err.Error(), "cgroup") {
			t.Errorf("%s: got %q, want an error about the cgroup", path, err)
		}
	}
}

// TestLeavesNothing: parents that were made are removed again, unless somebody uses them.
func TestLeavesNothing(t *testing.T) {
	cgroup := newCgroup(t)
	for _, use := range []bool{false, true} {
		w := watch(t, cgroup+"/a.slice/b.slice/unit")
		if use {
			if err := os.Mkdir(cgroup+"/a.slice/other", 0o755); err != nil {
				t.Fatal(err)
			}
		}
		stop(t, w)
		_, errA := os.Stat(cgroup + "/a.slice")
		_, errB := os.Stat(cgroup + "/a.slice/b.slice")
		if (errA == nil) != use || errB == nil {
			t.Errorf("used %v: a.slice: %v, b.slice: %v", use, errA, errB)
		}
	}
}

// TestOwner: in the cgroups of a container whose root is shifted, what is made belongs to that root.
func TestOwner(t *testing.T) {
	cgroup := newCgroup(t)
	if err := os.Chown(cgroup, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	w := watch(t, cgroup+"/a.slice/unit")
	defer stop(t, w)
	for _, name := range []string{"", "cgroup.procs"} {
		info, err := os.Stat(filepath.Join(cgroup, "a.slice", name))
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 65534 {
			t.Errorf("a.slice/%s belongs to %d, want the owner of the cgroup above", name, uid)
		}
	}
}

// TestOverflow: what does not fit is counted, so that nothing is lost silently.
func TestOverflow(t *testing.T) {
	cgroup := newCgroup(t)
	w, err := witness.StartSized(cgroup+"/unit", uint32(os.Getpagesize()))
	if err != nil {
		t.Fatal(err)
	}
	const calls = 20000
	err = run(t, cgroup+"/unit", provoke("flood", fmt.Sprint(calls)))
	r := stop(t, w)
	if err != nil {
		t.Fatal(err)
	}
	seen, others := 0, 0
	for _, d := range r.Denials {
		if strings.HasPrefix(d.Path, "/flood/") {
			seen += d.Count
		} else {
			others += d.Count
		}
	}
	if r.Dropped == 0 || seen == 0 {
		t.Fatalf("saw %d calls and dropped %d, want some of each", seen, r.Dropped)
	}
	if lost := calls - seen; int(r.Dropped) < lost || int(r.Dropped) > lost+100 {
		t.Errorf("saw %d of %d calls and %d others, but counted %d as dropped", seen, calls, others, r.Dropped)
	}
}

// TestStartScarce: a witness that starts too late for want of something is told apart from one that no kernel grants.
func TestStartScarce(t *testing.T) {
	if dir := os.Getenv("TEMPER_SCARCE_CGROUP"); dir != "" { // in a user namespace without inotify instances
		w, err := witness.Start(dir)
		if w != nil || !scarce.Is(err) || errors.Is(err, witness.ErrUnsupported) {
			t.Errorf("%v, %v", w, err)
		}
		return
	}
	const script = `echo 0 >/proc/sys/user/max_inotify_instances && exec "$0" -test.run='^TestStartScarce$' -test.v`
	c := exec.Command("unshare", "--user", "--map-root-user", "sh", "-c", script, os.Args[0])
	c.Env = append(os.Environ(), "TEMPER_SCARCE_CGROUP="+filepath.Join(newCgroup(t), "none"))
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestStartScarce") {
		t.Errorf("%v: %s", err, out)
	}
}
