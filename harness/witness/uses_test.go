package witness_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/testroot"
)

// uses records what one command does in a cgroup.
func uses(t *testing.T, keep witness.Keep, cmd *exec.Cmd) []string {
	t.Helper()
	cgroup := newCgroup(t)
	u, err := witness.StartUses(cgroup+"/x.service", keep)
	if err != nil {
		t.Fatal(err)
	}
	runErr := run(t, cgroup+"/x.service", cmd)
	otherErr := run(t, cgroup+"/other.service", shell(": >"+t.TempDir()+"/of-another"))
	list, lost, err := u.Stop()
	if err := errors.Join(runErr, otherErr, err); err != nil || lost > 0 {
		t.Fatalf("%v, %d lost", err, lost)
	}
	var text []string
	for _, one := range list {
		if one.Count == 0 || filepath.Base(one.Subject) == "of-another" || one.Program == "" {
			t.Errorf("incomplete, or of another service: %+v", one)
		}
		text = append(text, one.String())
	}
	return text
}

// TestUsesOfOverlay: an overlay asks for CAP_FOWNER, as whoever has mounted it, each time that a file is opened.
func TestUsesOfOverlay(t *testing.T) {
	testroot.NeedFor(t, "mount and load eBPF programs")
	dir := t.TempDir()
	at := filepath.Join(dir, "at")
	for _, name := range []string{at, dir + "/a", dir + "/b"} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		os.WriteFile(dir+"/a/read", nil, 0o644), os.Chown(dir+"/a/read", 2, 2), os.Chmod(filepath.Dir(dir), 0o755),
		unix.Mount("temper-test", at, "overlay", 0, "lowerdir="+dir+"/a:"+dir+"/b"),
	); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(at, 0)
	c := shell("read x <" + at + "/read || :")
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1, Gid: 1}}
	got := uses(t, func(r witness.Restriction, _ bool) bool {
		return r.Subject == "CAP_FOWNER" || r.Subject == at+"/read"
	}, c)
	if want := []string{"path-hidden " + at + "/read"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestUses does one thing of each kind, and wants that it is recorded as the restriction that would have refused it,
// and nothing of the service beside it.
func TestUses(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	const shared = "/dev/shm/temper-test-uses" // which is no device
	if err := os.WriteFile(dir+"/read", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		want []string // of the kinds that the first word of each has, exactly these
		cmd  *exec.Cmd
	}{
		{"a file that it writes", []string{"path-readonly " + dir + "/written"}, shell(": >" + dir + "/written")},
		{"a file that it reads", []string{"path-hidden " + dir + "/read"}, shell("read x <" + dir + "/read || :")},
		{"a program", []string{"path-noexec /bin/sh", "path-noexec " + program}, shell(program)},
		{"a device", []string{"device /dev/zero"}, shell("exec 3</dev/zero; : >" + shared + "; rm " + shared)},
		{"a file of proc", []string{"proc-hidden /proc/loadavg"}, shell("read x </proc/loadavg")},
		{"a namespace", []string{"namespace uts", "capability CAP_SYS_ADMIN"}, provoke("use-namespace")},
		{"sockets", []string{
			"family AF_INET", "family AF_UNIX", "socket-bind 127.0.0.1:4321", "network 127.0.0.1:4321",
		}, provoke("use-sockets")},
		{"real time", []string{"realtime SCHED_RR", "capability CAP_SYS_NICE"}, provoke("use-realtime")},
		{"code that it writes", []string{"write-execute mmap"}, provoke("use-code")},
		{"a setuid program", []string{"setuid-bit " + dir + "/setuid"}, provoke("use-setuid", dir+"/setuid")},
		{"another user", []string{"user-mapping 1", "capability CAP_SETUID"}, provoke("use-user")},
		{"another owner", []string{"capability CAP_CHOWN"}, provoke("use-chown", dir+"/read")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wanted := func(r witness.Restriction, made bool) bool {
				// The library that loads programs for BPF asks for these when this binary starts.
				ofLibrary := r.Subject == "CAP_BPF" || r.Subject == "CAP_PERFMON"
				return !ofLibrary && (r.Kind != refusal.PathHidden || !made && filepath.Dir(r.Subject) == dir)
			}
			got := uses(t, wanted, tc.cmd)
			for _, want := range tc.want {
				if kind, _, _ := cut(want); !slices.Equal(ofKind(tc.want, kind), ofKind(got, kind)) {
					t.Errorf("%s: %q, want %q", kind, ofKind(got, kind), ofKind(tc.want, kind))
				}
			}
			if !slices.Contains(got, "syscall execve") {
				t.Errorf("no call was counted: %q", got)
			}
			granted := ofKind(got, "capability")
			if len(ofKind(tc.want, "capability")) == 0 && len(granted) > 0 && tellsCapabilities(t) {
				t.Errorf("it was granted %q, and needs none", granted)
			}
		})
	}
}

func shell(script string) *exec.Cmd { return exec.Command("/bin/sh", "-c", script) }

func cut(text string) (kind, subject string, found bool) {
	for i := range text {
		if text[i] == ' ' {
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

func ofKind(list []string, want string) []string {
	var some []string
	for _, text := range list {
		if kind, _, _ := cut(text); kind == want {
			some = append(some, text)
		}
	}
	slices.Sort(some)
	return some
}

// TestUsesAcrossRestarts: the cgroup may be removed and made again, and each Take has what came since the last.
func TestUsesAcrossRestarts(t *testing.T) {
	cgroup := newCgroup(t) + "/x.service"
	u, err := witness.StartUses(cgroup, func(r witness.Restriction, _ bool) bool { return r.Kind == refusal.Family })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := run(t, cgroup, provoke("use-sockets")); err != nil {
			t.Fatal(err)
		}
		if err := removeAll(cgroup); err != nil {
			t.Fatal(err)
		}
	}
	list, lost, err := u.Stop()
	if err != nil || lost > 0 || len(list) != 2 {
		t.Fatalf("%v, %v, %d lost", list, err, lost)
	}
	for _, one := range list {
		if one.Count != 2 {
			t.Errorf("%s: %d times, want 2", one, one.Count)
		}
	}
}

func init() {
	provocations["use-namespace"] = func([]string) error { return unix.Unshare(unix.CLONE_NEWUTS) }
	provocations["use-realtime"] = func([]string) error {
		return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_RR, Priority: 1}, 0)
	}
	provocations["use-code"] = func([]string) error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
		return err
	}
	provocations["use-setuid"] = func(a []string) error {
		f, err := os.Create(a[0])
		return firstOf(err, f.Close(), unix.Chmod(a[0], 0o4755))
	}
	provocations["use-user"] = func([]string) error { return unix.Setreuid(1, 1) }
	provocations["use-chown"] = func(a []string) error { return unix.Chown(a[0], 1, 1) }
	provocations["use-sockets"] = func([]string) error {
		listener, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		here := &unix.SockaddrInet4{Port: 4321, Addr: [4]byte{127, 0, 0, 1}}
		local, err2 := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
		if err := firstOf(err, err2, unix.Bind(listener, here)); err != nil {
			return err
		}
		return firstOf(unix.Connect(listener, here), unix.Close(local), unix.Close(listener))
	}
}

// ExampleStartUses records what the service "x" needs for as long as the program waits.
func ExampleStartUses() {
	everything := func(witness.Restriction, bool) bool { return true }
	u, err := witness.StartUses("/sys/fs/cgroup/system.slice/x.service", everything)
	if err != nil {
		fmt.Println(err)
		return
	}
	list, _, _ := u.Stop()
	for _, one := range list {
		fmt.Println(one.Program, one.Restriction)
	}
}
