//go:build packages

// Package packaging_test installs the Debian packages on real systems, boots, proves, breaks, upgrades and purges them. It
// needs root and the packages: make test-packages.
package packaging_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/profiles"
)

// machine is a copy of a tree, in memory, with the packages in it.
type machine struct {
	t           *testing.T
	root, upper string
}

func newMachine(t *testing.T, tree string) *machine {
	t.Helper()
	lower := testroot.Path(t, tree)
	work := t.TempDir()
	must(t, unix.Mount("temper-packages", work, "tmpfs", 0, "mode=755"))
	t.Cleanup(func() { must(t, unix.Unmount(work, 0)) })
	m := &machine{t, filepath.Join(work, "root"), filepath.Join(work, "upper")}
	for _, dir := range []string{"root", "upper", "work"} {
		must(t, os.Mkdir(filepath.Join(work, dir), 0o755))
	}
	must(t, unix.Mount("temper-packages", m.root, "overlay", 0,
		fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, m.upper, filepath.Join(work, "work"))))
	t.Cleanup(func() { must(t, unix.Unmount(m.root, 0)) })
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// debs are the packages by their names.
func debs(t *testing.T, names ...string) []string {
	t.Helper()
	var files []string
	for _, name := range names {
		found, err := filepath.Glob(filepath.Join(os.Getenv("TEMPER_DEBS"), name+"_*.deb"))
		must(t, err)
		if len(found) != 1 {
			t.Fatalf("TEMPER_DEBS=%q has %d packages %s, want 1: make deb", os.Getenv("TEMPER_DEBS"), len(found), name)
		}
		files = append(files, found[0])
	}
	return files
}

// offline runs a command in the tree, as one who builds an image does.
func (m *machine) offline(args ...string) {
	m.t.Helper()
	c := exec.Command("chroot", append([]string{m.root}, args...)...)
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8")
	if out, err := c.CombinedOutput(); err != nil {
		m.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

func (m *machine) install() {
	m.t.Helper()
	args := []string{"dpkg", "--install"}
	for _, deb := range debs(m.t, "temper", "temper-profiles") {
		data, err := os.ReadFile(deb)
		must(m.t, err)
		must(m.t, os.WriteFile(filepath.Join(m.root, "tmp", filepath.Base(deb)), data, 0o644))
		args = append(args, "/tmp/"+filepath.Base(deb))
	}
	m.offline(args...)
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	file := filepath.Join(m.root, name)
	must(m.t, os.MkdirAll(filepath.Dir(file), 0o755))
	must(m.t, os.WriteFile(file, []byte(text), 0o644))
}

// A boot of a machine; what happens in it is gone when it ends.
type boot struct {
	*place.Place
	t *testing.T
}

func (m *machine) boot() *boot {
	m.t.Helper()
	var console bytes.Buffer
	where, err := place.Container(m.t.Context(), place.Options{Image: m.root, Unit: "multi-user.target", Log: &console, Timeout: 3 * time.Minute})
	if err != nil {
		m.t.Fatalf("%v\n%s", err, console.String())
	}
	m.t.Cleanup(func() { must(m.t, where.Close()) })
	return &boot{where, m.t}
}

// try runs a shell command line and returns its status and what it said.
func (b *boot) try(line string) (int, string) {
	b.t.Helper()
	r, err := b.Run(b.t.Context(), place.Command{Args: []string{"/bin/sh", "-c", line}, Timeout: 2 * time.Minute})
	must(b.t, err)
	return r.Status, r.Stdout + r.Stderr
}

func (b *boot) run(line string) string {
	b.t.Helper()
	status, out := b.try(line)
	if status != 0 {
		_, log := b.try("journalctl --no-pager -b -n 60 -u 'temper*' -u nginx")
		b.t.Fatalf("%s: status %d\n%s\n%s", line, status, out, log)
	}
	return out
}

// wait wants a command line to succeed before long.
func (b *boot) wait(line string) {
	b.t.Helper()
	b.run("for i in $(seq 300); do " + line + " && exit 0; sleep 0.1; done; exit 1")
}

func (b *boot) verdict(unit string) verdict.Verdict {
	b.t.Helper()
	v, err := verdict.Store{Root: b.Root()}.Get(unit)
	must(b.t, err)
	return v
}

const (
	dropin   = "/run/systemd/generator/nginx.service.d/50-temper.conf"
	hardened = "test -e " + dropin + " && grep -q '^NoNewPrivs:.*1' /proc/$(systemctl show -P MainPID nginx)/status"
	vendors  = "test ! -e " + dropin + " && grep -q '^NoNewPrivs:.*0' /proc/$(systemctl show -P MainPID nginx)/status"
)

var suites = []string{"bookworm", "trixie", "sid"}

// TestSystemdPackages is the life of the packages on a machine.
func TestSystemdPackages(t *testing.T) {
	testroot.Need(t)
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			m := newMachine(t, suite)
			// What starts the guard.
			m.write("/etc/systemd/system/nginx.service.d/watch.conf", "[Unit]\nOnFailure=temper-guard@%N.service\n")
			m.install()
			shipped := prove(t, m)
			reboot(t, m, shipped)
			guard(t, m)
			purge(t, m, suite)
		})
	}
}

// prove boots for the first time: nothing is hardened, everything of the package is there and in order, and nginx is proven
// before it starts.
func prove(t *testing.T, m *machine) verdict.Verdict {
	b := m.boot()
	b.run("temper --version")
	b.run("systemctl is-active temper-prove.path temper-prove.timer temper-guard.timer nginx")
	if out := b.run("systemctl --failed --plain --no-legend list-units 'temper*' nginx.service"); out != "" {
		t.Errorf("failed units:\n%s", out)
	}
	b.run(vendors)
	b.run("systemctl stop nginx && systemctl start temper-prove@nginx.service")
	v := b.verdict("nginx.service")
	if v.Result != verdict.Proven || v.Place != "host" {
		_, log := b.try("journalctl --no-pager -u temper-prove@nginx")
		t.Fatalf("nginx is %s in the place %s: %s\n%s", v.Result, v.Place, v.Reason, log)
	}
	b.run("systemctl start nginx && " + hardened)
	b.run("temper status nginx | grep -w proven")

	// A new package of the service makes the verdict stale, which proves nothing.
	b.run("touch /usr/sbin/nginx && systemctl daemon-reload && temper status nginx | grep 'stale.*executable'")
	b.run("systemctl restart nginx && " + vendors)
	must(t, b.Close())
	return v
}

// reboot boots a machine with a shipped verdict and wants nginx hardened and at work.
func reboot(t *testing.T, m *machine, v verdict.Verdict) {
	v.Fingerprint.Systemd, v.Fingerprint.Kernel = 0, ""
	data, err := json.Marshal(v)
	must(t, err)
	file := "/usr/lib/temper/verdicts/nginx.service.json"
	m.write(file, string(data))
	b := m.boot()
	b.run(hardened)
	set, problems := profiles.Load(b.Root(), nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s, err := harness.Inspect(t.Context(), b.Place, set, "nginx.service")
	must(t, err)
	if !s.OK() {
		t.Errorf("nginx after a boot: %s; %+v", s.Confinement(), s.Checks)
	}
	must(t, b.Close())
	must(t, os.Remove(filepath.Join(m.root, file)))
}

// guard starts a hardened nginx that has come to need more than was proven.
func guard(t *testing.T, m *machine) {
	b := m.boot()
	defer b.Close()
	proveAgain := "systemctl stop nginx; systemctl reset-failed nginx; rm -f /etc/nginx/conf.d/log.conf; " +
		"systemctl start temper-prove@nginx.service && systemctl start nginx && " + hardened
	elsewhere := "mkdir -p /srv/logs && echo 'access_log /srv/logs/access.log;' >/etc/nginx/conf.d/log.conf && systemctl restart nginx"

	b.run(proveAgain)
	if status, _ := b.try(elsewhere); status == 0 {
		t.Fatal("a hardened nginx starts though it may not write its log")
	}
	b.wait("systemctl is-active --quiet nginx && " + vendors)
	b.wait("journalctl --sync; journalctl -p warning -u temper-guard@nginx | grep 'does start with its vendor'")
	if v := b.verdict("nginx.service"); v.Result != "broken" || len(v.Advisories) == 0 {
		t.Errorf("the verdict is %s with %d pieces of evidence, want broken with some", v.Result, len(v.Advisories))
	}

	// What has started well once stays hardened, however it fails.
	b.run(proveAgain + " && sleep 1.5 && systemctl start temper-guard.service && test -e /var/lib/temper/started/nginx.service")
	b.run("kill -9 $(systemctl show -P MainPID nginx)")
	b.wait("journalctl --sync; journalctl -u temper-guard@nginx | grep 'after it had started; its hardening stays'")
	b.run("systemctl start nginx && " + hardened)
	if status, _ := b.try(elsewhere); status == 0 {
		t.Fatal("a hardened nginx starts though it may not write its log")
	}
	b.wait("journalctl --sync; journalctl -u temper-guard@nginx | grep 'has started with this hardening before'")
	b.run("systemctl is-failed nginx && test -e " + dropin)

	// What does not start without hardening either gets it back.
	b.run(proveAgain + " && rm -f /var/lib/temper/started/nginx.service")
	if status, _ := b.try("echo nonsense >/etc/nginx/conf.d/log.conf; systemctl restart nginx"); status == 0 {
		t.Fatal("nginx starts with a configuration that is wrong")
	}
	b.wait("journalctl --sync; journalctl -u temper-guard@nginx | grep 'its hardening is not to blame and is back'")
	b.run("test -e " + dropin)
	if v := b.verdict("nginx.service"); v.Result != verdict.Proven {
		t.Errorf("the verdict is %s, want proven as before", v.Result)
	}
}

// purge removes the packages: from a running system, where a reload must be all it takes, and from the tree, where nothing
// may be left.
func purge(t *testing.T, m *machine, suite string) {
	b := m.boot()
	before := b.run("systemctl cat nginx")
	b.run("systemctl stop nginx && systemctl start temper-prove@nginx.service && systemctl start nginx && " + hardened)
	b.run("dpkg --purge temper temper-profiles")
	b.run("systemctl restart nginx && " + vendors)
	if after := b.run("systemctl cat nginx"); after != before {
		t.Errorf("nginx.service was\n%s\nand is\n%s", before, after)
	}
	if out := b.run("systemctl list-units --all --plain --no-legend 'temper*' | grep -vE 'not-found|temper-run-'; ls -d /etc/temper /var/lib/temper /usr/lib/temper 2>/dev/null || true"); strings.TrimSpace(out) != "" {
		t.Errorf("left over:\n%s", out)
	}
	must(t, b.Close())

	m.offline("dpkg", "--purge", "temper", "temper-profiles")
	own := []string{"etc/systemd/system/nginx.service.d", "var/lib/dpkg", "var/log", "tmp", "var/cache", "var/lib/systemd/deb-systemd-helper-enabled"}
	must(t, filepath.WalkDir(m.upper, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(m.upper, path)
		if err != nil || slices.ContainsFunc(own, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }) {
			return err
		}
		if lower, err := os.Lstat(filepath.Join(testroot.Path(t, suite), name)); err == nil &&
			d.IsDir() && lower.IsDir() {
			return nil // a directory is copied up when something in it changes
		}
		t.Errorf("/%s is left over or changed", name)
		return nil
	}))
	if _, err := host.Root(m.root).Lstat("/usr/bin/temper"); err == nil {
		t.Error("temper is still there")
	}
}
