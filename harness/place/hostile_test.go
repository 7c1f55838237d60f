package place_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/testroot"
)

// hostile builds testdata/hostile for a place.
func hostile(t *testing.T) place.File {
	t.Helper()
	testroot.Need(t)
	binary := filepath.Join(t.TempDir(), "hostile")
	cmd := exec.Command("go", "build", "-o", binary, "temper/testdata/hostile")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	return place.File{Name: "/usr/local/bin/hostile", Data: data, Mode: 0o755}
}

// TestSystemdHostile: root attacks the machine from a service without hardening. No attack succeeds, and the machine
// does not change.
func TestSystemdHostile(t *testing.T) {
	program := hostile(t)
	victim := exec.Command("sleep", "1000")
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = victim.Process.Kill(); _ = victim.Wait() })
	addresses := listen(t)
	for _, name := range []string{"bookworm", "trixie", "sid"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // the attacks wait more than they work
			before := settings(t)
			p := container(t, place.Options{
				Image: testroot.Path(t, name), Files: []place.File{program},
				Limits: place.Limits{Tasks: 300, Memory: 600 << 20},
			})
			env := []string{"HOSTILE_VICTIM=" + fmt.Sprint(victim.Process.Pid), "HOSTILE_ADDRESSES=" +
				strings.Join(addresses, " ")}
			begin := time.Now()
			r, err := p.Run(t.Context(),
				place.Command{Args: []string{"hostile", "attack"}, Env: env, Timeout: time.Minute})
			if err != nil || r.Status != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			t.Logf("all attacks took %s\n%s", time.Since(begin), r.Stdout)
			refusedAll(t, r.Stdout, 35)
			r, err = p.Run(t.Context(), place.Command{Args: []string{
				"systemd-run", "--quiet", "--wait", "--pipe", "-p", "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE",
				"hostile", "launch",
			}, Timeout: time.Minute})
			if err != nil || r.Status != 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			refusedAll(t, r.Stdout, 1)
			if err := p.Close(); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(before, settings(t)); diff != "" {
				t.Errorf("the machine has changed (-before +after):\n%s", diff)
			}
			if left := alive([]string{identity(fmt.Sprint(victim.Process.Pid))}); len(left) == 0 {
				t.Error("the victim was killed")
			}
		})
	}
}

// refusedAll checks that the report has the expected number of attacks and that each was refused.
func refusedAll(t *testing.T, report string, want int) {
	t.Helper()
	got := 0
	for line := range strings.Lines(report) {
		if strings.Contains(line, " SUCCEEDED: ") {
			t.Errorf("%s", line)
		}
		if _, _, found := strings.Cut(line, " refused: "); found {
			got++
		}
	}
	if got != want {
		t.Errorf("%d attacks were refused, want %d:\n%s", got, want, report)
	}
}

// TestSystemdHostileTrusted: the same attacks succeed where the place trusts its root, so the program really tries
// them.
func TestSystemdHostileTrusted(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie"), Files: []place.File{hostile(t)}, Trusted: true})
	for _, name := range []string{
		"core-pattern", "remount-proc-sys", "swappiness", "mknod-loop-control", "devtmpfs",
		"bpf",
	} {
		if got := output(t, p, "hostile attack "+name); !strings.HasPrefix(got, name+" SUCCEEDED: ") {
			t.Errorf("in a trusted place: %s", got)
		}
	}
}

// listen listens on the machine and returns the address.
func listen(t *testing.T) []string {
	t.Helper()
	var addresses []string
	for _, l := range [][2]string{{"tcp", "127.0.0.1:0"}, {"unix", "@temper-hostile-test"}} {
		listener, err := net.Listen(l[0], l[1])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses
}

// settings are what an attack on the machine would change: variables of the kernel, mounts, cgroups, devices and
// modules.
func settings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{
		"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/*",
		"/proc/irq/default_smp_affinity",
		"/sys/kernel/uevent_helper", "/sys/kernel/tracing/tracing_on", "/proc/sys/fs/binfmt_misc/*", "/proc/swaps",
	} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			data, _ := os.ReadFile(name)
			found[name] = string(data)
		}
	}
	for _, dir := range []string{"/dev", "/run", "/sys/fs/cgroup/*", "/sys/module"} {
		names, _ := filepath.Glob(dir + "/*")
		for _, name := range names {
			if !strings.Contains(name, "temper-") { // of other tests that run at the same time
				found[name] = ""
			}
		}
	}
	return found
}
