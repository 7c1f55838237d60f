// Package packaging_test installs the packages on real systems, boots, proves, upgrades, removes and purges them. With
// the tag packages, which make test-packages sets, it also breaks services and tries the RPM packages.
package packaging_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/place"
	"temper/harness/runningunit"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// built are the Debian packages: those in TEMPER_DEBS, which make test-packages sets, else those of the tree, built for
// this.
var built = sync.OnceValues(func() ([]place.File, error) {
	dir := os.Getenv("TEMPER_DEBS")
	if dir == "" {
		dir = "../dist/quick/deb"
		if out, err := exec.Command("make", "-C", "..", "quick-deb").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("make quick-deb: %w\n%s", err, out)
		}
	}
	var files []place.File
	for _, name := range []string{"temper", "temper-profiles", "dh-temper"} {
		found, err := filepath.Glob(filepath.Join(dir, name+"_*.deb"))
		if err != nil || len(found) != 1 {
			return nil, fmt.Errorf("%s has %d packages %s, want 1: make deb (%w)", dir, len(found), name, err)
		}
		data, err := os.ReadFile(found[0])
		if err != nil {
			return nil, err
		}
		files = append(files, place.File{Name: filepath.Base(found[0]), Data: data})
	}
	return files, nil
})

// under puts files in a directory.
func under(dir string, files []place.File) []place.File {
	files = slices.Clone(files)
	for i := range files {
		files[i].Name = filepath.Join(dir, files[i].Name)
	}
	return files
}

// snapshot is what must be the same on a machine when temper has come and gone.
type snapshot struct {
	files map[string]string
	units string // and whether they are enabled
	text  string // of the services that run, with all drop-ins
	pids  string
}

func (b *boot) snapshot() snapshot {
	b.t.Helper()
	const running = "$(systemctl list-units --type=service --state=running --plain --no-legend | cut -d ' ' -f 1)"
	return snapshot{
		files: b.files(),
		units: b.run("systemctl list-unit-files --plain --no-legend | grep -v transient"),
		text:  b.run("systemctl cat " + running),
		pids:  b.run("systemctl show -p Id,MainPID " + running),
	}
}

// restless are files that change while a machine runs, and what dpkg keeps for itself. What it knows of packages is
// compared by what it says.
var restless = []string{
	"/var/log", "/var/cache", "/var/tmp", "/var/lib/dpkg", "/var/lib/systemd/timers", "/var/lib/systemd/random-seed",
	"/srv",
	"/var/lib/systemd/catalog/database", // a trigger of systemd's package makes it from the catalogs of all
	// of the place
	"/etc/resolv.conf", "/etc/systemd/system.conf.d", "/etc/systemd/journald.conf.d",
	"/etc/systemd/system/temper-place.target",
}

const known = "dpkg-query --show --showformat '${Package} ${Version} ${Status}\n'; ls /var/lib/dpkg/info"

const ownUnits = "temper-prove.path temper-prove.service temper-prove.timer temper-prove@nginx.service " +
	"temper-guard.service temper-guard.timer temper-guard@nginx.service temper-renew@nginx.service temper-watch.service"

// install installs temper: what runs runs on, and nothing but temper's own files is new.
func install(b *boot, was snapshot) {
	b.t.Helper()
	b.run(known + " >/srv/known")
	b.run("dpkg --install /srv/temper_*.deb /srv/temper-profiles_*.deb && temper --version")
	b.run("systemctl is-active temper-prove.path temper-prove.timer temper-guard.timer")
	b.run("systemd-analyze security --no-pager --threshold=38 temper-prove@nginx.service temper-guard@nginx.service " +
		"temper-guard.service temper-watch.service")
	for _, line := range []string{
		"systemd-analyze verify --man=no " + ownUnits + " 2>&1",
		"dpkg --verify temper temper-profiles",
	} {
		if out := b.run(line); out != "" {
			b.t.Errorf("%s:\n%s", line, out)
		}
	}
	is := b.snapshot()
	if diff := cmp.Diff(was.pids, is.pids); diff != "" {
		b.t.Errorf("what ran (-before +after):\n%s", diff)
	}
	own := strings.Fields(b.run("dpkg --listfiles temper temper-profiles | grep -v ^$ | sort -u"))
	for _, unit := range []string{
		"paths.target.wants/temper-prove.path", "timers.target.wants/temper-prove.timer",
		"timers.target.wants/temper-guard.timer",
	} {
		own = append(own, "/etc/systemd/system/"+unit)
	}
	// What is proven in the background may be there already.
	files := without(differences(was.files, is.files),
		slices.Concat(restless, []string{
			"/var/lib/systemd/deb-systemd-helper-enabled", "/etc/temper/verdicts",
			"/var/lib/temper",
		}))
	if files = slices.DeleteFunc(files, func(name string) bool {
		return slices.Contains(own, name) ||
			strings.HasSuffix(name, ".target.wants")
	}); len(files) > 0 {
		b.t.Errorf("the installation changed %q", files)
	}
}

func dropin(unit string) string { return "/run/systemd/generator/" + unit + ".d/50-temper.conf" }

// reboot boots a machine and wants the services with a verdict that holds, the named ones at least, hardened and at
// work, and all others as they were.
func reboot(m *machine, names ...string) *boot {
	m.t.Helper()
	b := m.boot()
	// Where a verdict that a package brought does not hold, the boot has it proven.
	b.wait("test ! -e /run/systemd/generator/temper-prove.needed && " + rests)
	fresh := b.fresh()
	for _, name := range names {
		if _, ok := fresh[name]; !ok {
			b.t.Errorf("%s has no verdict that holds", name)
		}
	}
	set, problems := profiles.Load(b.Root(), nil)
	if len(problems) > 0 {
		b.t.Fatal(problems)
	}
	var written []string
	for _, name := range slices.Sorted(maps.Keys(fresh)) {
		written = append(written, dropin(name))
		text := b.run("cat " + dropin(name))
		if proven, _, _ := strings.Cut(text,
			"\n[Unit]\n"); strings.TrimSpace(proven) != strings.TrimSpace(fresh[name]) {
			b.t.Errorf("%s was proven with\n%s\nand boots with\n%s", name, fresh[name], text)
		}
		if !slices.Contains(names, name) {
			continue
		}
		s, err := runningunit.Unit(b.t.Context(), b.Place, set, name)
		must(b.t, err)
		if !s.OK() {
			b.t.Errorf("%s after a boot: %s; %+v", name, s.Confinement(), s.Checks)
		}
	}
	b.run("temper status") // and nothing is wrong
	// Nothing else is touched, and nothing fails.
	again := strings.Fields(b.run("find /run/systemd/generator* -name '*temper*' | sort"))
	if diff := cmp.Diff(written, again); diff != "" {
		b.t.Errorf("what temper wrote (-want +got):\n%s", diff)
	}
	b.run("systemctl is-active temper-prove.path")
	if out := b.run("systemctl --failed --plain --no-legend list-units"); out != "" {
		b.t.Errorf("failed units:\n%s", out)
	}
	return b
}

// fresh are the services of a machine with a verdict that holds there, and what was proven of each.
func (b *boot) fresh() map[string]string {
	b.t.Helper()
	store := verdict.Store{Root: b.Root()}
	fresh := map[string]string{}
	units, err := store.Units()
	must(b.t, err)
	for _, name := range units {
		u, err := (&unit.Loader{Root: b.Root(), Version: b.SystemdVersion()}).Load(name)
		if err != nil {
			continue // there is no such service here
		}
		v, err := store.Get(name)
		must(b.t, err)
		now, err := verdict.Take(b.Root(), u.Without(generator.Dropin), v.Fingerprint.Profile, b.SystemdVersion())
		if err == nil && v.Result == verdict.Proven && v.Fingerprint.Differs(now) == "" {
			fresh[name] = v.Dropin
		}
	}
	return fresh
}

// purge removes and purges the packages: a restart of the services must be all it takes for the machine to be as it
// was.
func purge(b *boot, was snapshot, others ...string) {
	b.t.Helper()
	hardened := slices.Collect(maps.Keys(b.fresh()))
	b.run("dpkg --remove temper temper-profiles && systemctl restart " + strings.Join(hardened, " "))
	b.run("test -e /etc/temper/temper.toml && dpkg --purge temper temper-profiles")
	b.run(known + " | diff /srv/known -")
	is := b.snapshot()
	if diff := cmp.Diff(was.text, is.text); diff != "" {
		b.t.Errorf("services (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(was.units, is.units); diff != "" {
		b.t.Errorf("unit files (-before +after):\n%s", diff)
	}
	if files := without(differences(was.files, is.files), slices.Concat(others, restless)); len(files) > 0 {
		b.t.Errorf("left over or changed: %q", files)
	}
	out := b.run("systemctl list-units --all --plain --no-legend 'temper*' | grep -v temper-run-; find /run /tmp " +
		"/var/tmp /var/cache -name '*temper*' -not -name '*temper-run-*'")
	if strings.TrimSpace(out) != "" {
		b.t.Errorf("left over:\n%s", out)
	}
}
