package integration_test

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// learning are the steps by which a person learns from a machine, one after the other, as commands of a shell in it.
// web.service is one that does when it is reloaded what its profile forbids, and that no trial makes it do.
var learning = []struct{ name, do string }{
	{
		"the packaged service watches in its own sandbox, now and after each boot",
		`temper watch --enable
		systemctl is-active temper-watch
		systemctl is-enabled temper-watch
		pid=$(systemctl show -P MainPID temper-watch)
		grep Seccomp:.2 /proc/$pid/status
		grep NoNewPrivs:.1 /proc/$pid/status
		test $(grep CapBnd /proc/$pid/status | cut -f 2) = 000000c000080004
		temper status | grep 'temper watch is on'`,
	},
	{
		"a refusal is an entry of the journal, with fields and an explanation",
		`systemctl reload web
		wait_for 'journalctl --sync; journalctl -o cat TEMPER_UNIT=web.service | grep refused'
		entry="journalctl -q TEMPER_UNIT=web.service TEMPER_DIRECTIVE=ProtectSystem TEMPER_RESTRICTION=path-readonly
			TEMPER_SUBJECT=/srv/web/trap.state TEMPER_PROGRAM=trap TEMPER_COUNT=1 _SYSTEMD_UNIT=temper-watch.service"
		$entry -o cat | grep -Fx 'web.service: ProtectSystem= refused "trap" to write "/srv/web/trap.state"'
		$entry -o json | grep '"TEMPER_CALL":"openat('
		journalctl --update-catalog
		$entry -x | grep 'web.service runs with the hardening of temper. The directives'
		$entry -x | grep 'sudo temper review web.service'`,
	},
	{
		"further ones are counted",
		`systemctl reload web
		wait_for 'temper show web | grep "2x .* ProtectSystem=  .trap. to write ./srv/web/trap.state."'
		temper status --format json web | grep '"calls": 2'
		test $(journalctl -q -o cat TEMPER_UNIT=web.service | wc -l) = 1`,
	},
	{
		"what is accepted in a review is proven, and takes effect",
		`temper review --yes web
		grep -Fx 'ReadWritePaths = ["-/srv/web"]' /etc/temper/profiles.d/web.toml
		grep -q '"place": "container"' /etc/temper/verdicts/web.service.json
		! temper check /etc/temper/profiles.d/web.toml | grep 'extends itself'
		temper apply web
		systemctl reload web
		test -e /srv/web/trap.state
		temper show web | grep ReadWritePaths
		temper review web | grep 'Nothing was refused that nobody has answered.'`,
	},
	{
		"watching ends",
		`temper watch --disable
		! systemctl is-active temper-watch
		! systemctl is-enabled temper-watch
		temper status | grep 'temper watch is off'
		temper review web | grep 'temper watch is off'`,
	},
	{
		"what a service was seen to need counts once it is accepted",
		`temper observe --until-stopped store 2>/run/said &
		wait_for 'grep observing /run/said'
		systemctl kill -s HUP store
		wait_for 'temper observe --list store 2>/dev/null | grep -q /srv/store'
		systemctl stop store
		wait %1
		mv /usr/lib/temper/store.profile /usr/lib/temper/profiles.d/store.toml
		temper observe --accept --yes store
		grep 'used on this machine by .*trap.*: path-readonly .*/srv/store/.* last on 2' \
			/etc/temper/verdicts/store.service.json
		systemctl daemon-reload
		grep 'ReadWritePaths=.*/srv/store' /run/systemd/generator/store.service.d/50-temper.conf`,
	},
}

// TestSystemdLearning is watch, review and observe on a machine, with the packaged service and nothing that stands in
// for a part of it.
func TestSystemdLearning(t *testing.T) {
	t.Parallel()
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	packaged := func(from, to string) place.File {
		data, err := os.ReadFile("../packaging/" + from)
		if err != nil {
			t.Fatal(err)
		}
		return place.File{Name: "/usr/lib/systemd/" + to, Data: data}
	}
	files := slices.Concat(programs(t), []place.File{
		packaged("systemd/temper-watch.service", "system/temper-watch.service"),
		packaged("catalog/temper.catalog", "catalog/temper.catalog"),
		file("/etc/temper/temper.toml", "unproven = \"enforce\"\napply = [\"proven\", \"started\"]\n"),
		file("/srv/web/.keep", ""),
		file("/etc/systemd/system/web.service", "[Service]\nType=notify\nExecReload=kill -HUP $MAINPID\n"+
			"ExecStart=/usr/local/bin/trap notify reload:try:write=/srv/web\n"),
		file("/etc/systemd/system/multi-user.target.d/web.conf", "[Unit]\nWants=web.service\n"),
		file("/srv/store/.keep", ""),
		file("/etc/systemd/system/store.service", "[Service]\nType=notify\n"+
			"ExecStart=/usr/local/bin/trap notify listen=127.0.0.1:7778 reload:try:write=/srv/store\n"),
		file("/etc/systemd/system/multi-user.target.d/store.conf", "[Unit]\nWants=store.service\n"),
		file("/usr/lib/temper/store.profile", "description = \"a test\"\nunits = [\"store.service\"]\n"+
			"[service]\nProtectSystem = \"strict\"\n[prove]\nsettle = \"500ms\"\n"),
		file("/usr/lib/temper/profiles.d/web.toml", "description = \"a test\"\nunits = [\"web.service\"]\n"+
			"[service]\nProtectSystem = \"strict\"\nNoNewPrivileges = true\n[prove]\nsettle = \"500ms\"\n"),
	})
	p, err := place.Container(t.Context(), place.Options{
		Trusted: true, Image: testroot.Path(t, "packages-trixie"), Files: files, Unit: "multi-user.target",
	})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	for _, step := range learning {
		script := fmt.Sprintf("%s\npatience=120; set -ex\n%s", helpers, step.do)
		r, err := p.Run(t.Context(), place.Command{
			Args: []string{"/bin/sh", "-c", script}, Timeout: proofTimeout,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != 0 {
			log := command(t, p, "journalctl --no-pager -o short-precise -u web -u store -u 'temper-*' | tail -n 60")
			t.Fatalf("%s: status %d:\n%s%s\n%s", step.name, r.Status, r.Stdout, r.Stderr, log)
		}
	}
}
