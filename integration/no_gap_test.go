package integration_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// A service whose program says which files it makes, and its profile. The check wants the files. It also asks the name
// server, which the sandbox of temper-prove.service must let the place have.
const (
	webService = `[Unit]
Description=Web

[Service]
ExecStart=/usr/local/sbin/web

[Install]
WantedBy=multi-user.target
`
	webProgram = `#!/bin/sh
# version 1
for f in $(sed -n 's/^# makes //p' $0); do echo >$f; done
exec sleep infinity
`
	webProfile = `units = ["web.service"]

[service]
NoNewPrivileges = true
ProtectSystem = "strict"

[prove]
settle = "300ms"

[[check]]
name = "keeps its state"
exec = ["/usr/local/sbin/check-web"]
`
	webCheck = `#!/bin/sh
getent -s hosts:dns ahosts $(hostname) || exit 1
for f in $(sed -n 's/^# makes //p' /usr/local/sbin/web); do test -e $f || exit 1; done
`
)

// watchWeb notes every process of the service that can gain privileges. A process that systemd is still preparing has
// another name.
const watchWeb = `#!/bin/sh
group=/sys/fs/cgroup$(systemctl show -P ControlGroup web)
while sleep 0.1; do
	while read -r pid; do
		read -r name </proc/$pid/comm || continue
		case "$name" in web|sleep) ;; *) continue ;; esac
		while read -r key value; do
			case $key$value in NoNewPrivs:0) echo $pid >>/run/unhardened ;; esac
		done </proc/$pid/status
	done <$group/cgroup.procs
done 2>/dev/null
`

// neverUnhardened wants the watcher to be there and to have noted nothing.
const neverUnhardened = "systemctl is-active watch-web; if test -s /run/unhardened; then cat /run/unhardened; exit 1; fi"

// noGapHelpers are for the scripts of noGapChanges: "hardened" wants the process that runs to be so, "now" starts the
// service again and wants that, "told" wants a warning of temper-prove.service.
const noGapHelpers = `
wait_for() { set +x; for i in $(seq 240); do if eval "$1"; then set -x; return 0; fi; sleep 0.5; done; echo "waited in vain for $1"; return 1; }
proofs() { journalctl --sync; journalctl -o cat -u temper-prove.service | grep -c '^web.service: .* trials' || :; }
rests() { test ! -e /run/systemd/generator/temper-prove.needed && test $(systemctl show -P ActiveState temper-prove.service) = inactive; }
hardened() { grep -q 'NoNewPrivs:.1' /proc/$(systemctl show -P MainPID web)/status; }
now() { systemctl restart web; wait_for hardened; }
told() { journalctl --sync; journalctl -o cat -p warning -u temper-prove.service | grep -F "$1"; }
dropin=/run/systemd/generator/web.service.d/50-temper.conf
override=/etc/systemd/system/web.service.d/override.conf
verdict=/etc/temper/verdicts/web.service.json
set -ex
`

// noGapChanges are what happens to a machine on which a service runs hardened, in this order. Each change is read by
// systemd, the service is started again, and it is proven again in the background.
var noGapChanges = []struct{ name, change, unproven, proven string }{
	{
		// A whole machine boots another kernel; see testdata/machine.
		name: "the program, the kernel, systemd and the format of verdicts",
		change: `sed -i s/version.1/version.2/ /usr/local/sbin/web
			sed -i 's/"kernel": "[^"]*"/"kernel": "1"/; s/"systemd": [0-9]*/"systemd": 250/; s/"schema": 1,//' $verdict`,
		unproven: "temper show web | grep 'the executable, systemd (250, now .*), the kernel, the format'",
	},
	{
		name:   "an override",
		change: `mkdir -p ${override%/*}; printf '[Service]\nNice=1\n' >$override`,
		proven: "test $(systemctl show -P Nice web) = 1",
	},
	{
		name:   "the same override",
		change: `printf '[Service]\nNice=2\n' >$override`,
		proven: "test $(systemctl show -P Nice web) = 2",
	},
	{
		name: "a profile that asks for more",
		change: `sed 's/^ProtectSystem/PrivateTmp = true\n&/' /usr/lib/temper/profiles.d/web.toml \
			>/etc/temper/profiles.d/web.toml`,
		unproven: `test -z "$(grep PrivateTmp $dropin)"`,
		proven:   "grep PrivateTmp=yes $dropin",
	},
	{
		name:     "a version that needs more",
		change:   "echo '# makes /srv/state' >>/usr/local/sbin/web",
		unproven: "test ! -e /srv/state",
		proven: `told 'web.service needs what it is forbidden until now'
			now
			wait_for 'test -e /srv/state'`,
	},
}

// TestSystemdNoGap: from its first proof on, which nobody has to ask for, a service runs hardened whatever changes, and
// is proven again at once.
func TestSystemdNoGap(t *testing.T) {
	t.Parallel()
	suites := []string{"trixie"}
	if *every {
		suites = []string{"bookworm", "trixie", "sid"}
	}
	for _, suite := range suites {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			p, err := place.Container(t.Context(), place.Options{
				Trusted: true, Image: testroot.Path(t, "packages-"+suite), Files: noGapFiles(t),
				Unit: "multi-user.target",
			})
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			do := func(name, script string) {
				t.Helper()
				begin := time.Now()
				args := []string{"/bin/sh", "-c", noGapHelpers + script}
				r, err := p.Run(t.Context(), place.Command{Args: args, Timeout: 6 * time.Minute})
				if err != nil || r.Status != 0 {
					log := command(t, p, "temper show web; systemctl status temper-prove.path temper-prove.service; "+
						"journalctl --no-pager -n 60 -u web -u temper-prove.service; :")
					t.Fatalf("%s: %v, status %d:\n%s%s\n%s", name, err, r.Status, r.Stdout, r.Stderr, log)
				}
				t.Logf("%s: %s", name, time.Since(begin).Round(time.Second/10))
			}
			do("the first proof", "wait_for 'test $(proofs) = 1'; wait_for rests; now; systemctl start watch-web")
			for _, c := range noGapChanges {
				do(c.name, "before=$(proofs)\n"+c.change+"\nsystemctl daemon-reload\nnow\n"+c.unproven+
					"\nwait_for 'test $(proofs) -gt $before'\nwait_for rests\n"+c.proven+"\n"+neverUnhardened)
			}
			do("who watches sees it", "touch /etc/temper/disabled; systemctl daemon-reload; systemctl restart web; "+
				"wait_for 'test -s /run/unhardened'")
		})
	}
}

func noGapFiles(t *testing.T) []place.File {
	t.Helper()
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	program := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text), Mode: 0o755} }
	files := slices.Concat(programs(t), []place.File{
		file("/etc/systemd/system/web.service", webService),
		program("/usr/local/sbin/web", webProgram),
		program("/usr/local/sbin/check-web", webCheck),
		program("/usr/local/sbin/watch-web", watchWeb),
		file("/etc/systemd/system/watch-web.service", "[Service]\nExecStart=/usr/local/sbin/watch-web\n"),
		file("/usr/lib/temper/profiles.d/web.toml", webProfile),
		file("/etc/temper/profiles.d/base/none", ""),
		file("/etc/systemd/system/multi-user.target.d/wants.conf", "[Unit]\nWants=web.service temper-prove.path\n"),
	})
	for _, name := range []string{"temper-prove.path", "temper-prove.service"} {
		data, err := os.ReadFile(filepath.Join("../packaging/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, place.File{Name: "/usr/lib/systemd/system/" + name, Data: data})
	}
	return files
}
