package packaging_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"temper/internal/verdict"
)

// hardened is a command line that succeeds where a service runs with temper's hardening, and will when it is started
// again.
func hardened(name string) string {
	return "test -e " + dropin(name+".service") + " && " + runs(name, 1)
}

// rests succeeds where nothing is proven in the background.
const rests = "test $(systemctl show -P ActiveState temper-prove.service) = inactive"

// runs is a command line that succeeds where a service runs with NoNewPrivileges=, 1, or without, 0.
func runs(name string, with int) string {
	return fmt.Sprintf("grep -q '^NoNewPrivs:.*%d' /proc/$(systemctl show -P MainPID %s)/status", with, name)
}

// provedFirst is a command line that proves a service before it starts, as at boot, and starts it.
func provedFirst(name string) string {
	return "systemctl stop " + name + "; systemctl reset-failed " + name + "; systemctl start temper-prove@" + name +
		".service && systemctl start " + name + " && sleep 1 && " + hardened(name)
}

// whole is set where everything is tried that packages are released after: see rpm_test.go.
var whole = false

// The machines mostly wait: all run side by side.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// TestSystemdLife is the life of the packages on a machine: installed, at work, upgraded, removed and purged. It takes
// minutes for each suite, so make test tries one.
func TestSystemdLife(t *testing.T) {
	t.Parallel()
	suites := []string{"trixie"}
	if whole {
		suites = []string{"bookworm", "trixie", "sid"}
	}
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			m := tree(t, suite)
			debs, err := built()
			must(t, err)
			own, err := greeters()
			must(t, err)
			b := m.boot(under("/srv", append(slices.Clone(debs), own...))...)
			b.run("dpkg --install /srv/greeter_1_all.deb && systemctl is-active greeter nginx")
			was := b.snapshot()
			if whole {
				asleep(b, was)
			}
			install(b, was)
			b.wait(rests) // where verdicts that temper-profiles brings do not hold, it proves
			proven := prove(b)
			if whole {
				guard(b)
			}
			if suite == "sid" {
				collected(b)
			}
			b = reboot(ship(b, proven, suite == "trixie"), "nginx.service", "greeter.service")
			upgrade(b)
			if whole {
				renews(b)
			}
			b.run("rm /usr/lib/temper/verdicts/greeter.service.json && dpkg --install --force-downgrade " +
				"/srv/greeter_1_all.deb")
			purge(b, was, "/var/lib/greeter", "/var/lib/systemd/deb-systemd-helper-enabled/greeter.service.dsh-also")
		})
	}
}

// prove proves services before they start and returns their verdicts.
func prove(b *boot) []verdict.Verdict {
	b.t.Helper()
	var all []verdict.Verdict
	for _, name := range []string{"nginx", "greeter"} {
		b.run(provedFirst(name))
		v := b.verdict(name + ".service")
		if v.Result != verdict.Proven || v.Place != "host" {
			_, log := b.try("journalctl --no-pager -u temper-prove@" + name)
			b.t.Fatalf("%s is %s in the place %s: %s\n%s", name, v.Result, v.Place, v.Reason, log)
		}
		all = append(all, v)
		b.run("temper status " + name + " | grep -w proven")
		b.run("systemctl show -P OnFailure " + name + " | grep -w temper-guard@" + name + ".service")
		if out := b.run("systemd-analyze verify --man=no " + name + ".service 2>&1"); out != "" {
			b.t.Errorf("systemd-analyze verify %s:\n%s", name, out)
		}
	}
	if out := b.run("systemctl --failed --plain --no-legend list-units"); out != "" {
		b.t.Errorf("failed units:\n%s", out)
	}
	return all
}

// collected wants systemd-report, which comes with systemd 262, to take what status writes for it.
func collected(b *boot) {
	b.t.Helper()
	const dir = "/var/lib/systemd/report.files"
	b.run("mkdir -p " + dir + " && temper status --format systemd-report --output " + dir + "/temper && " +
		"systemctl start systemd-report-files.socket && /usr/lib/systemd/systemd-report metrics io.systemd.Files " +
		"--json=short | grep -q 'nginx.service.*proven'; status=$?; rm " + dir + "/temper; " +
		"rmdir --ignore-fail-on-non-empty " + dir + "; exit $status")
}

// asleep installs, removes, installs again and purges the packages where systemd does not run, as in an image that is
// being made and as piuparts does: nothing must be left.
func asleep(b *boot, was snapshot) {
	b.t.Helper()
	const debs = "/srv/temper_*.deb /srv/temper-profiles_*.deb"
	b.run("mount --bind / /mnt && chroot /mnt sh -euxc '! test -e /run/systemd; dpkg --install " + debs +
		"; dpkg --remove temper temper-profiles; " +
		"dpkg --install " + debs + "; dpkg --purge temper temper-profiles'; status=$?; umount /mnt; exit $status")
	if files := without(differences(was.files, b.files()), restless); len(files) > 0 {
		b.t.Errorf("left over or changed where systemd did not run: %q", files)
	}
}

// guard starts hardened services that have come to need more than was proven.
func guard(b *boot) {
	b.t.Helper()
	log := func(name, text string) {
		b.wait("journalctl --sync; journalctl -u temper-guard@" + name + " | grep -q '" + text + "'")
	}
	elsewhere := "mkdir -p /srv/logs && echo 'access_log /srv/logs/access.log;' >/etc/nginx/conf.d/log.conf && " +
		"systemctl restart nginx"
	if status, _ := b.try(elsewhere); status == 0 {
		b.t.Fatal("a hardened nginx starts though it may not write its log")
	}
	// A proof finds what it needs now, and the rest of its hardening stays.
	b.wait("systemctl is-active --quiet nginx && " + hardened("nginx"))
	b.wait("journalctl --sync; journalctl -p warning -u temper-guard@nginx | grep 'has found why'")
	if v := b.verdict("nginx.service"); v.Result != verdict.Proven || v.Place != "container" || len(v.Demotions) == 0 {
		b.t.Errorf("the verdict is %s in the place %s with %d demotions, want proven in a container with some",
			v.Result, v.Place, len(v.Demotions))
	}

	// What has started well once stays hardened, however it fails.
	again := "rm -f /etc/nginx/conf.d/log.conf; " + provedFirst("nginx")
	b.run(again + " && sleep 1.5 && systemctl start temper-guard.service && test -e " +
		"/var/lib/temper/started/nginx.service")
	b.run("kill -9 $(systemctl show -P MainPID nginx)")
	log("nginx", "after it had started; its hardening stays")
	b.run("systemctl start nginx && " + hardened("nginx"))
	if status, _ := b.try(elsewhere); status == 0 {
		b.t.Fatal("a hardened nginx starts though it may not write its log")
	}
	log("nginx", "has started with this hardening before")
	b.run("systemctl is-failed nginx && test -e " + dropin("nginx.service"))

	// What does not start without hardening either keeps it.
	b.run(again + " && rm -f /var/lib/temper/started/nginx.service")
	if status, _ := b.try("echo nonsense >/etc/nginx/conf.d/log.conf; systemctl restart nginx"); status == 0 {
		b.t.Fatal("nginx starts with a configuration that is wrong")
	}
	log("nginx", "could not decide why: its hardening stays")
	b.run("test -e " + dropin("nginx.service") + " && rm /etc/nginx/conf.d/log.conf && systemctl start nginx")
	if v := b.verdict("nginx.service"); v.Result != verdict.Proven {
		b.t.Errorf("the verdict is %s, want proven as before", v.Result)
	}

	// A service that is started again and again has never failed for good: before systemd 254 nobody is told of it.
	b.run("rm -f /var/lib/temper/started/greeter.service; mkdir /srv/greeter && echo /srv/greeter/count " +
		">/etc/greeter.conf && systemctl restart greeter; sleep 1; systemctl start temper-guard.service")
	b.wait("journalctl --sync; journalctl -u 'temper-guard*' | grep -q 'greeter.service did not start hardened.*has " +
		"found why'")
	b.wait("systemctl is-active --quiet greeter && " + hardened("greeter"))
	b.run("rm /etc/greeter.conf && " + provedFirst("greeter"))
}

// ship lets a machine know nothing but verdicts that came with packages: those of temper-profiles where they hold, as
// on the release that they were proven on, and others as packagers ship them.
func ship(b *boot, proven []verdict.Verdict, holds bool) *machine {
	b.t.Helper()
	b.run("rm -rf /etc/temper/verdicts/* /var/lib/temper/started")
	fresh := b.fresh()
	if _, ok := fresh["nginx.service"]; ok != holds {
		b.t.Errorf("that the verdict on nginx in temper-profiles holds is %t, want %t; if its package is another "+
			"now: testdata/library/prove -record trixie", ok, holds)
	}
	m := b.keep()
	for _, v := range proven {
		if _, ok := fresh[v.Unit]; ok {
			continue
		}
		v.Fingerprint.Systemd, v.Fingerprint.Kernel = 0, ""
		data, err := json.Marshal(v)
		must(b.t, err)
		must(b.t, os.WriteFile(filepath.Join(m.root, "usr/lib/temper/verdicts", v.Unit+".json"), data, 0o644))
	}
	return m
}

// provenAgain does something by a command line and wants it to end in a proof of a service, in the background.
func provenAgain(b *boot, name, line string) {
	b.t.Helper()
	count := "$(journalctl --sync; journalctl -u temper-prove.service | grep -c '" + name + ".service: proven')"
	before := strings.TrimSpace(b.run("echo " + count))
	b.run(line)
	b.wait("test " + count + " -gt " + before)
	b.wait(rests)
	if v := b.verdict(name + ".service"); v.Result != verdict.Proven || v.Place != "container" {
		b.t.Errorf("after %s %s is %s in the place %s, want proven in a container", line, name, v.Result, v.Place)
	}
	b.run("temper status " + name + " | grep -w proven")
}

// upgrade installs a new version of a service, whose package knows nothing of temper: its verdict is stale, it runs
// hardened all the same, and it is proven again in the background.
func upgrade(b *boot) {
	b.t.Helper()
	provenAgain(b, "greeter", "dpkg --install /srv/greeter_2_all.deb && temper status greeter | grep "+
		"'stale.*executable' && sleep 1 && "+hardened("greeter"))
	b.run(hardened("greeter"))
	b.run("systemctl restart greeter")
	b.wait(hardened("greeter"))
	// Neither does one of temper wait for a proof, which waits for it.
	b.run("systemctl --no-block start temper-prove.service && timeout 60 dpkg --install /srv/temper_*.deb")
	b.wait(rests)
}

// renews changes what else makes verdicts stale.
func renews(b *boot) {
	b.t.Helper()
	stored := "/etc/temper/verdicts/greeter.service.json"
	provenAgain(b, "greeter", "sed s/2s/2100ms/ /usr/lib/temper/profiles.d/greeter.toml "+
		">/etc/temper/profiles.d/greeter.toml")
	provenAgain(b, "greeter", "rm /etc/temper/profiles.d/greeter.toml")
	// Another systemd comes as a package.
	provenAgain(b, "greeter", `sed -i 's/"systemd": [0-9]*/"systemd": 1/' `+stored+
		" && temper status greeter | grep stale.*systemd && "+
		"cp /var/lib/dpkg/status /var/lib/dpkg/status-new && mv /var/lib/dpkg/status-new /var/lib/dpkg/status")
	// Another kernel has been booted: the timer looks five minutes later.
	b.run("mkdir /run/systemd/system/temper-prove.timer.d && printf '[Timer]\nOnActiveSec=\nOnActiveSec=1s\n" +
		"' >/run/systemd/system/temper-prove.timer.d/soon.conf")
	provenAgain(b, "greeter", `sed -i 's/"kernel": "[^"]*"/"kernel": "1"/' `+stored+
		" && temper status greeter | grep stale.*kernel && "+
		"systemctl daemon-reload && systemctl restart temper-prove.timer")
	b.run("rm -r /run/systemd/system/temper-prove.timer.d")
}

// wait wants a command line to succeed before long.
func (b *boot) wait(line string) {
	b.t.Helper()
	b.run("for i in $(seq 800); do " + line + " && exit 0; sleep 0.6; done; exit 1")
}

func (b *boot) verdict(unit string) verdict.Verdict {
	b.t.Helper()
	v, err := verdict.Store{Root: b.Root()}.Get(unit)
	must(b.t, err)
	return v
}
