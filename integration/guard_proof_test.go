package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// proofs are services that fail hardened, of which a real proof finds out why. Commands are as in attacks.
var proofs = []struct{ name, service, do string }{
	{
		// One directive breaks it: that is given up, and the other stays.
		"breaks", "ExecStart=/bin/sh -c 'grep -q NoNewPrivs:.1 /proc/self/status && exit 1; exec sleep infinity'",
		`said 'has found why'
		grep -q '"verdict": "started"' /etc/temper/verdicts/$u.service.json
		grep -q '"place": "container"' /etc/temper/verdicts/$u.service.json
		systemctl is-active $u
		pid=$(systemctl show -P MainPID $u)
		grep NoNewPrivs:.0 /proc/$pid/status
		grep ' /usr ' /proc/$pid/mountinfo | grep -q ' ro,'
		grep -q ProtectSystem=full /run/systemd/generator/$u.service.d/50-temper.conf
		! grep NoNewPrivileges /run/systemd/generator/$u.service.d/50-temper.conf
		systemctl restart $u
		systemctl is-active $u`,
	},
	{
		// Another process of the machine has what it needs: hardening is not at fault.
		"blocked", "ExecStart=/usr/bin/flock -n /run/lock/blocked sleep infinity",
		`said 'is not at fault and stays'
		test $(systemctl show -P ActiveState $u) = failed
		grep -q NoNewPrivileges=yes /run/systemd/generator/$u.service.d/50-temper.conf
		grep -q '"verdict": "started"' /etc/temper/verdicts/$u.service.json
		systemctl stop blocker
		systemctl reset-failed $u
		systemctl start $u
		wait_for 'grep -q NoNewPrivs:.1 /proc/$(systemctl show -P MainPID $u)/status'`,
	},
}

// proofTimeout bounds what is done to one service and its proof.
const proofTimeout = 5 * time.Minute

// TestSystemdGuardProves is the whole way of the guard with nothing that stands in for a part of it: a service does not
// start hardened, temper-guard@.service has temper-renew@.service prove it in a container, and what that finds applies.
func TestSystemdGuardProves(t *testing.T) {
	t.Parallel()
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	files := slices.Concat(programs(t), guardUnits(t), []place.File{
		file("/etc/temper/temper.toml", "unproven = \"enforce\"\n"),
		file("/etc/systemd/system/blocker.service",
			"[Service]\nExecStart=/usr/bin/flock /run/lock/blocked sleep infinity\n"),
	})
	for _, p := range proofs {
		files = append(files,
			file("/etc/systemd/system/"+p.name+".service", "[Service]\n"+p.service+"\n"),
			file("/etc/temper/profiles.d/"+p.name+".toml", "units = [\""+p.name+".service\"]\n\n[service]\n"+
				"NoNewPrivileges = true\nProtectSystem = \"full\"\n\n[prove]\nsettle = \"500ms\"\n"))
	}
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			p, err := place.Container(t.Context(), place.Options{
				Trusted: true, Image: testroot.Path(t, "packages-"+suite), Files: files, Unit: "multi-user.target",
			})
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			// A systemd-nspawn that can refuse address families is told those of services.
			known := strings.Contains(command(t, p, "systemd-nspawn --help"), "--restrict-address-families=")
			if want := testroot.Versions[suite] >= 261; known != want {
				t.Errorf("systemd-nspawn knows --restrict-address-families=: %t, want %t", known, want)
			}
			command(t, p, "systemctl start blocker")
			for _, service := range proofs {
				script := fmt.Sprintf("u=%s; %s\npatience=240; set -ex\nfails\n%s", service.name, helpers, service.do)
				whole := place.Command{Args: []string{"/bin/sh", "-c", script}, Timeout: proofTimeout}
				r, err := p.Run(t.Context(), whole)
				if err != nil {
					t.Fatal(err)
				}
				if r.Status != 0 {
					log := command(t, p, "journalctl --no-pager -o short-precise -u "+service.name+
						" -u 'temper-*' | tail -n 60; cat /etc/temper/verdicts/*; systemctl cat "+service.name)
					t.Errorf("%s: status %d:\n%s%s\n%s", service.name, r.Status, r.Stdout, r.Stderr, log)
				}
			}
		})
	}
}
