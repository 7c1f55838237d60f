package witness_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/harness/witness"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// trial is a service that does what a sandbox may refuse. Some of it is refused anyway, as to any service.
const trial = `
cat /etc/nothing
echo x > /etc/written
chown 33 /dev/shm
unshare --net true
chmod u+s /dev/shm
(cd /etc; echo y > relative; sleep 0.5) # the witness looks its directory up
mkdir /etc/made && rmdir /etc/made
cat /home/secret
true`

// sandbox is what the hardened trial has and the baseline has not.
var sandbox = []string{
	"ProtectSystem=strict", "CapabilityBoundingSet=~CAP_CHOWN", "RestrictNamespaces=yes", "RestrictSUIDSGID=yes",
	"ProtectHome=yes",
}

// makes is the system call by which mkdir(1) makes a directory: mkdir(2) on architectures that have it.
var makes = map[string]string{"amd64": "mkdir", "arm64": "mkdirat"}

// TestSystemdWitness runs a service with and without a sandbox in a booted Debian and wants exactly the denials that
// the sandbox adds.
func TestSystemdWitness(t *testing.T) {
	for _, name := range []string{"bookworm", "trixie", "sid"} {
		t.Run(name, func(t *testing.T) { witnessIn(t, name) })
	}
}

func witnessIn(t *testing.T, name string) {
	p, err := place.Container(t.Context(), place.Options{
		Image: testroot.Path(t, name), Files: []place.File{{Name: "/home/secret", Data: []byte("x")}},
	})
	if err != nil {
		t.Fatalf("%v; hint: %s", err, hint.Of(err))
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	baseline := try(t, p)
	evidence := try(t, p, sandbox...).Minus(baseline).Hidden(p.Root())
	var got []string
	for _, d := range evidence.Denials {
		for _, r := range d.Restrictions()[:1] {
			got = append(got, fmt.Sprintf("%s %s: %v", d.Syscall, d.Errno, r))
		}
	}
	slices.Sort(got)
	want := []string{
		"fchmodat EPERM: setuid-bit /dev/shm",
		"fchownat EPERM: capability CAP_CHOWN",
		makes[runtime.GOARCH] + " EROFS: path-readonly /etc/made",
		"openat ENOENT: path-hidden /home/secret", // root gets past EACCES and finds an empty directory
		"openat EROFS: path-readonly /etc/relative",
		"openat EROFS: path-readonly /etc/written",
		"unshare EPERM: namespace net",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("evidence (-want +got):\n%s\nall: %v", diff, evidence.Denials)
	}
	if !slices.ContainsFunc(baseline.Denials, func(d witness.Denial) bool { return d.Path == "/etc/nothing" }) {
		t.Errorf("the baseline lacks what it was refused: %v", baseline.Denials)
	}
}

// try runs the service under some directives and returns its denials. Another unit runs meanwhile, whose denials must
// not be recorded.
func try(t *testing.T, p *place.Place, directives ...string) witness.Record {
	t.Helper()
	const unit = "temper-trial-1.service"
	begin := time.Now()
	w, err := witness.Start(p.Cgroup() + "/system.slice/" + unit)
	if err != nil {
		t.Fatal(err)
	}
	started := time.Since(begin)
	args := []string{"systemd-run", "--quiet", "--wait", "--collect", "--unit=" + unit}
	for _, d := range directives {
		args = append(args, "--property="+d)
	}
	for _, c := range [][]string{append(args, "/bin/sh", "-c", trial), {"cat", "/etc/beside"}} {
		r, err := p.Run(t.Context(), place.Command{Args: c, Timeout: 30 * time.Second})
		if err != nil || c[0] == "systemd-run" && r.Status != 0 {
			t.Fatalf("%v, %+v", err, r)
		}
	}
	begin = time.Now()
	r, err := w.Stop()
	if err != nil || r.Dropped != 0 {
		t.Fatalf("%v, %d dropped", err, r.Dropped)
	}
	t.Logf("start %v, stop %v, %d denials, %d in set-up", started, time.Since(begin), len(r.Denials), len(r.Setup))
	for _, d := range r.Denials {
		if strings.HasPrefix(d.Path, "/etc/beside") {
			t.Errorf("another unit's denial: %v", d)
		}
	}
	return r
}
