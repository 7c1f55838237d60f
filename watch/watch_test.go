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
	"golang.org/x/sys/unix"

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

// keptText is a service whose cgroup stays when it is restarted, and that does at a reload what hardening refuses.
const keptText = `[Service]
Type=notify-reload
ExecStart=/usr/local/bin/trap notify reload:try:read=/root/.profile reload:try:write=/srv/trap
ExecStartPost=/bin/sh -c "sleep infinity &"
KillMode=process
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

// generated is where the generator of the test takes its drop-ins from.
const generated = "/etc/generated/"

// inPlace is a place in which the services of the tests are, and what its watch has reported.
type inPlace struct {
	*testing.T
	*place.Place
	*reports
	log refusallog.Store
}

func newPlace(t *testing.T) inPlace {
	t.Helper()
	p, err := place.Container(t.Context(), place.Options{
		Image: testroot.Path(t, "trixie"), Trusted: true, Files: []place.File{
			{Name: "/usr/local/bin/trap", Data: trapProgram(t), Mode: 0o755},
			{Name: "/srv/trap/.keep"},
			{Name: "/srv/other/.keep"},
			{Name: "/root/.profile"},
			{Name: "/etc/systemd/system/web.service", Data: []byte(unitText)},
			{Name: "/etc/systemd/system/plain.service", Data: []byte(unitText)},
			{Name: "/etc/systemd/system/kept.service", Data: []byte(keptText)},
			{Name: generated + "web.service.d/50-temper.conf", Data: []byte(dropin)},
			{Name: generated + "kept.service.d/50-temper.conf", Data: []byte("[Service]\nProtectHome=yes\n")},
			{
				Name: "/etc/systemd/system-generators/drop-ins", Mode: 0o755,
				Data: []byte("#!/bin/sh\ncp -r " + generated + ". \"$1\"\n"),
			},
		},
	})
	if err != nil {
		t.Fatalf("%v; hint: %s", err, hint.Of(err))
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return inPlace{t, p, newReports(), refusallog.Store{Root: host.At(t.TempDir())}}
}

func (p inPlace) write(file, text string) {
	p.Helper()
	if err := p.WriteFile(file, []byte(text), 0o644); err != nil {
		p.Fatal(err)
	}
}

// job waits for a job of the manager.
func (p inPlace) job(do func(ctx context.Context, unit string) (result string, err error), unit string) {
	p.Helper()
	if result, err := do(p.Context(), unit); err != nil || result != "done" {
		p.Fatalf("%s: %s, %v", unit, result, err)
	}
}

// restart starts a unit again under another plan.
func (p inPlace) restart(unit, dropin string) {
	p.Helper()
	p.write(generated+unit+".d/50-temper.conf", dropin)
	if err := p.Manager().Reload(p.Context()); err != nil {
		p.Fatal(err)
	}
	p.job(p.Manager().RestartUnit, unit)
}

// cgroup is the id of the cgroup of a unit.
func (p inPlace) cgroup(unit string) uint64 {
	p.Helper()
	var stat unix.Stat_t
	if err := unix.Stat(p.Cgroup()+"/system.slice/"+unit, &stat); err != nil {
		p.Fatal(err)
	}
	return stat.Ino
}

// TestSystemdWatch watches services of a real systemd.
func TestSystemdWatch(t *testing.T) {
	p := newPlace(t)
	p.write("/var/lib/temper/trials/web.service.json", `[{"dropin": "", "refused": ["trap: mlock(): EPERM"]}]`)
	p.job(p.Manager().StartUnit, "kept.service")
	stop := start(t, watch.Options{
		Cgroups: p.Place.Cgroup(), Starts: p.Root().Dir() + "/run/systemd/units",
		Plans:    watch.Machine{Root: p.Root(), Files: p.Root(), Version: p.SystemdVersion(), Place: p.Place},
		Reporter: p.reports, Log: &p.log,
	})
	p.watchesEachKind()
	p.watchesWhatRuns()
	stop()
	log, err := p.log.Get("web.service")
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

// watchesEachKind: each kind of refusal of a hardened service is reported once, with its directive; what is refused
// without hardening too is not, and neither is what a service without hardening is refused. A unit that starts again
// under another plan is judged by that.
func (p inPlace) watchesEachKind() {
	p.Helper()
	p.job(p.Manager().StartUnit, "plain.service")
	p.job(p.Manager().StartUnit, "web.service")
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
	lines := p.await(p.T, want...)
	for _, l := range lines {
		if strings.Contains(l, "plain.service") || strings.Contains(l, "mlock") {
			p.Errorf("reported %s", l)
		}
	}
	// What was refused before is only counted.
	before := len(lines)
	p.restart("web.service", "[Service]\nReadOnlyPaths=/run\nProtectHome=yes\n")
	lines = p.await(p.T, `web.service: ReadOnlyPaths= refused "trap" to write "/run/trap.owner"`)
	for _, l := range lines[before:] {
		if strings.Contains(l, "ProtectHome") {
			p.Errorf("reported again: %s", l)
		}
	}
}

// watchesWhatRuns: a service that ran before the watch is judged by the plan under which it runs, and a new start by
// the new plan, though it keeps the cgroup.
func (p inPlace) watchesWhatRuns() {
	p.Helper()
	p.job(p.Manager().ReloadUnit, "kept.service")
	p.await(p.T, `kept.service: ProtectHome= refused "trap" to reach "/root/.profile"`)
	before := p.cgroup("kept.service")
	p.restart("kept.service", "[Service]\nReadOnlyPaths=/srv\n")
	if p.cgroup("kept.service") != before {
		p.Fatal("it has another cgroup")
	}
	p.job(p.Manager().ReloadUnit, "kept.service")
	p.await(p.T, `kept.service: ReadOnlyPaths= refused "trap" to write "/srv/trap/trap.state"`)
}
