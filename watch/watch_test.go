package watch_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/refusallog"
	"temper/internal/testroot"
	"temper/watch"
)

// reports collects what a watch reports.
type reports struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // has a value after each report
}

func newReports() *reports { return &reports{more: make(chan struct{}, 1)} }

func (r *reports) add(line string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	select {
	case r.more <- struct{}{}:
	default:
	}
	return nil
}

func (r *reports) New(unit string, one refusallog.Refusal) error { return r.add(watch.Text(unit, one)) }

func (r *reports) Note(unit, text string) error { return r.add(unit + " note: " + text) }

// await waits until all lines were reported, and returns what was.
func (r *reports) await(t *testing.T, want ...string) []string {
	t.Helper()
	limit := time.After(time.Minute)
	for {
		r.mu.Lock()
		got := slices.Clone(r.lines)
		r.mu.Unlock()
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return slices.Contains(got, w) })
		if len(missing) == 0 {
			return got
		}
		select {
		case <-r.more:
		case <-limit:
			t.Fatalf("not reported: %q\nreported: %q", missing, got)
		}
	}
}

// start watches until the test ends, or until stop is called.
func start(t *testing.T, o watch.Options) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	o.Ready = func() { close(ready) }
	go func() { done <- watch.Run(ctx, o) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watch: %v", err)
		}
	})
	t.Cleanup(stop)
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("watch: %v", err)
	}
	return stop
}

// trapProgram builds the program of the trap service.
func trapProgram(t *testing.T) []byte {
	t.Helper()
	name := t.TempDir() + "/trap"
	c := exec.Command("go", "build", "-o", name, "../testdata/trap")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the trap: %v\n%s", err, out)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// unitText is a service that does what hardening refuses, and goes on.
const unitText = `[Service]
Type=exec
ExecStart=/usr/local/bin/trap try:write=/srv/trap try:wx try:socket=17 try:unshare=uts try:realtime ` +
	`try:setuidbit=/run try:personality try:read=/root/.profile try:mlock try:read=/srv/other/.keep try:low-port=80 try:chown=/run
`

// dropin is what refuses all of that.
const dropin = `[Service]
ProtectSystem=strict
ReadWritePaths=/run
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_UNIX AF_INET
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
ProtectHome=yes
SystemCallFilter=~@memlock
SystemCallErrorNumber=EPERM
InaccessiblePaths=/srv/other
CapabilityBoundingSet=~CAP_CHOWN CAP_NET_BIND_SERVICE
`

// TestSystemdWatch: each kind of refusal of a hardened service is reported once, with its directive; what is refused
// without hardening too is not, and neither is what a service without hardening is refused. A unit that starts again
// under another plan is judged by that.
func TestSystemdWatch(t *testing.T) {
	const name, other = "web.service", "plain.service"
	p, err := place.Container(t.Context(), place.Options{
		Image: testroot.Path(t, "trixie"), Trusted: true, Files: []place.File{
			{Name: "/usr/local/bin/trap", Data: trapProgram(t), Mode: 0o755},
			{Name: "/srv/trap/.keep"},
			{Name: "/srv/other/.keep"},
			{Name: "/root/.profile"},
			{Name: "/etc/systemd/system/" + name, Data: []byte(unitText)},
			{Name: "/etc/systemd/system/" + name + ".d/own.conf", Data: []byte(dropin)},
			{Name: "/etc/systemd/system/" + other, Data: []byte(unitText)},
		},
	})
	if err != nil {
		t.Fatalf("%v; hint: %s", err, hint.Of(err))
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	write := func(file, text string) {
		t.Helper()
		if err := p.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// systemd does not look there before a generator has run, so that it has the same from elsewhere.
	const generated = "/run/systemd/generator/" + name + ".d/50-temper.conf"
	write(generated, dropin)
	write("/var/lib/temper/trials/"+name+".json", `[{"dropin": "", "refused": ["trap: mlock(): EPERM"]}]`)
	got := newReports()
	kept := refusallog.Store{Root: host.At(t.TempDir())}
	stop := start(t, watch.Options{
		Cgroups: p.Cgroup(), Plans: watch.Machine{Root: p.Root(), Files: p.Root(), Version: p.SystemdVersion()},
		Reporter: got, Log: &kept,
	})
	startUnit := func(unit string) {
		t.Helper()
		if result, err := p.Manager().StartUnit(t.Context(), unit); err != nil || result != "done" {
			t.Fatalf("start %s: %s, %v", unit, result, err)
		}
	}
	startUnit(other)
	startUnit(name)
	want := []string{
		`web.service: ProtectSystem= refused "trap" to write "/srv/trap/trap.state"`,
		`web.service: MemoryDenyWriteExecute= refused "trap" to make memory executable by mmap()`,
		`web.service: RestrictAddressFamilies= refused "trap" to make a socket of the family AF_PACKET`,
		`web.service: RestrictNamespaces= refused "trap" to make or join a namespace (uts)`,
		`web.service: RestrictRealtime= refused "trap" to be scheduled by SCHED_FIFO`,
		`web.service: CapabilityBoundingSet= refused "trap" to do what needs CAP_CHOWN`,
		`web.service: RestrictSUIDSGID= refused "trap" to set the set-user-ID bit of "/run/trap.setuid"`,
		`web.service: LockPersonality= refused "trap" to change its personality to 0x40000`,
		`web.service: ProtectHome= refused "trap" to reach "/root/.profile"`,
		`web.service: InaccessiblePaths= refused "trap" to reach "/srv/other/.keep"`,
		`web.service: CapabilityBoundingSet= refused "trap" to do what needs CAP_NET_BIND_SERVICE`,
	}
	lines := got.await(t, want...)
	t.Logf("%s", strings.Join(lines, "\n"))
	for _, l := range lines {
		if strings.Contains(l, other) || strings.Contains(l, "mlock") {
			t.Errorf("reported %s", l)
		}
	}
	// The next start is under another plan: what was refused before is only counted.
	if _, err := p.Manager().StopUnit(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	const weaker = "[Service]\nReadOnlyPaths=/run\nProtectHome=yes\n"
	write("/etc/systemd/system/"+name+".d/own.conf", weaker)
	if err := p.Manager().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(generated, weaker)
	before := len(lines)
	startUnit(name)
	lines = got.await(t, `web.service: ReadOnlyPaths= refused "trap" to write "/run/trap.owner"`)
	t.Logf("%s", strings.Join(lines[before:], "\n"))
	for _, l := range lines[before:] {
		if strings.Contains(l, "ProtectHome") {
			t.Errorf("reported again: %s", l)
		}
	}
	stop()
	log, err := kept.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, r := range log.Refusals {
		counts[fmt.Sprintf("%s %s", r.Restriction, r.Subject)] = r.Count
	}
	for key, count := range map[string]uint64{"path-hidden /root/.profile": 2, "realtime SCHED_FIFO": 1} {
		if diff := cmp.Diff(count, counts[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s\nall: %v", key, diff, counts)
		}
	}
}
