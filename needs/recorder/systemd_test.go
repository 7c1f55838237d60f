package recorder_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/needs"
	"temper/needs/recorder"
)

// TestSystemdService observes the trap service under a real systemd, which starts it twice: each act is a need.
func TestSystemdService(t *testing.T) {
	image := testroot.Path(t, "trixie")
	trap := filepath.Join(t.TempDir(), "trap")
	build := exec.Command("go", "build", "-o", trap, "../../testdata/trap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(trap)
	if err != nil {
		t.Fatal(err)
	}
	const unit = "[Service]\nExecStart=/usr/local/bin/trap once write=/srv/data read=/home/secret open=/dev/null wx " +
		"socket=17 unshare=uts setuidbit=/srv/data chown=/srv/data become=33 low-port=81 hostname exec=/usr/bin/true " +
		"personality\n"
	p, err := place.Container(t.Context(), place.Options{Image: image, Files: []place.File{
		{Name: "/usr/local/bin/trap", Data: data, Mode: 0o755},
		{Name: "/home/secret", Data: []byte("x")},
		{Name: "/srv/data/.keep"},
		{Name: "/etc/systemd/system/act.service", Data: []byte(unit)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	store := needs.Store{Root: host.At(t.TempDir())}
	ctx, stop := context.WithCancel(t.Context())
	begun := make(chan struct{})
	calls := 0
	r := recorder.Recorder{
		Unit: "act.service", Cgroup: p.Cgroup() + "/system.slice/act.service", Root: p.Root(), Store: store,
		Every: time.Millisecond,
		Ended: func(context.Context) (bool, error) {
			if calls++; calls == 1 {
				close(begun)
			}
			return false, nil
		},
	}
	done := make(chan error, 1)
	go func() { _, err := r.Run(ctx); done <- err }()
	select {
	case <-begun:
	case err := <-done:
		t.Fatal(err)
	}
	for range 2 {
		if result, err := p.Manager().StartUnit(t.Context(), "act.service"); err != nil || result != "done" {
			t.Errorf("%s, %v", result, err)
		}
		command := place.Command{Timeout: time.Minute, Args: []string{
			"/bin/sh", "-c", "while systemctl is-active -q act.service; do :; done; systemctl show -P Result act.service",
		}}
		if result, err := p.Run(t.Context(), command); err != nil || result.Stdout != "success\n" {
			t.Errorf("%v, %+v", err, result)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	record, err := store.Get("act.service")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, n := range record.Needs {
		got[n.String()] = n.Count
	}
	for _, want := range []string{
		"path-hidden /home/secret", "device /dev/null", "write-execute mmap", "family AF_PACKET", "namespace uts",
		"capability CAP_CHOWN", "capability CAP_SETUID", "user-mapping 33", "capability CAP_NET_BIND_SERVICE",
		"syscall sethostname", "path-noexec /usr/bin/true", "capability CAP_NET_RAW", "capability CAP_SYS_ADMIN",
	} {
		if got[want] < 2 {
			t.Errorf("%s: %d times, want once for each start", want, got[want])
		}
	}
	for _, n := range record.Needs {
		if n.Program != "trap" && n.Program != "true" {
			t.Errorf("%s is of %q, which is not of the service", n, n.Program)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
