package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// stub stands for temper-renew@.service: what a proof comes to is in a file for each unit, and what happens meanwhile
// in another.
const stub = `#!/bin/sh
echo "$1" >>/run/proofs
test ! -e /run/meanwhile."$1" || sh /run/meanwhile."$1"
exit $(cat /run/proof."$1" 2>/dev/null || echo 0)
`

// attacks are ways in which a hardened service can be made to fail at its start. Each is a service, what is done to it,
// and what is true then. Commands are those of a shell in the place; $u is the service, and in it "softened" succeeds
// where the unit has lost its hardening, "said TEXT" where the guard has said something.
var attacks = []struct {
	name, service, profile string
	do                     string
}{
	{
		"a service crashes at its start", "ExecStart=/bin/sh -c 'sleep 0.1; exit 1'", "",
		"fails; said 'is not at fault and stays'; kept",
	},
	{
		"and again and again", "ExecStart=/bin/sh -c 'exit 1'", "",
		"fails; said 'is not at fault'; fails; fails; sleep 1; kept; test $(grep -c $u /run/proofs) = 1",
	},
	{
		"a service is killed by a client at its start", "ExecStart=/bin/sh -c 'kill -11 $$$$'", "",
		"fails; said 'is not at fault and stays'; kept",
	},
	{
		"a service exits with the status of a sandbox that cannot be set up", "ExecStart=/bin/sh -c 'exit 226'", "",
		"fails; said 'is not at fault and stays'; kept",
	},
	{
		"and logs what systemd would log", "SyslogIdentifier=systemd\nExecStart=/bin/sh -c '" +
			`printf "MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7\nMESSAGE=Failed at step NAMESPACE\n_PID=1\nUNIT=%%n\nINVOCATION_ID=$INVOCATION_ID\nEXIT_CODE=exited\nEXIT_STATUS=226\n" | logger --journald; exit 226'`, "",
		"fails; said 'is not at fault and stays'; kept",
	},
	{
		"a service spoils its sandbox for the next start",
		"Restart=on-failure\nRestartSec=100ms\nExecStart=/bin/sh -c 'ln -s spoiled /srv/spoiled; exit 1'",
		"ProtectSystem = \"strict\"\nReadWritePaths = [\"/srv\"]\nInaccessiblePaths = [\"/srv/spoiled\"]\n",
		"said 'is not at fault and stays'; kept; journalctl --sync; journalctl -u $u | grep -q status=226",
	},
	{
		"a local user holds what the service needs until the guard comes",
		"ExecStart=/usr/bin/flock -n /run/port sleep infinity", "",
		"flock /run/port sleep 600 & echo kill $! >/run/meanwhile.$u; sleep 0.2; fails; said 'is not at fault and " +
			"stays'; kept",
	},
	{
		"a crash burst comes after a good run that nobody noted",
		"Restart=on-failure\nRestartSec=100ms\nExecStart=/bin/sh -c 'test ! -e /run/bad || exit 1; exec sleep " +
			"infinity'", "",
		// Failures while a guard runs start no other one.
		"sleep 2; test ! -e /var/lib/temper/started/$u.service; touch /run/bad; systemctl kill -s KILL $u; failed; " +
			"said 'has started with this hardening before\\|after it had started: its hardening stays'; kept; " +
			"! grep $u /run/proofs",
	},
	{
		"and the manager was reloaded meanwhile",
		"Restart=on-failure\nRestartSec=100ms\nExecStart=/bin/sh -c 'test ! -e /run/bad.reload || exit 1; exec sleep " +
			"infinity'", "",
		"systemctl daemon-reload; systemctl restart $u; sleep 2; systemctl daemon-reload; " +
			"test ! -e /var/lib/temper/started/$u.service; touch /run/bad.reload; systemctl kill -s KILL $u; " +
			"said 'has started with this hardening before\\|after it had started: its hardening stays'; " +
			"others_are_done; systemctl reset-failed $u; systemctl start $u; " +
			"said 'has started with this hardening before'; kept; ! grep $u /run/proofs",
	},
	{
		"the guard is called for a unit that runs", "ExecStart=/bin/sleep infinity", "",
		"pid=$(systemctl show -P MainPID $u); temper guard $u; kept; test $pid = $(systemctl show -P MainPID $u)",
	},
	{
		"the proof takes its place down", "ExecStart=/bin/sh -c 'exit 1'", "",
		"echo 1 >/run/proof.$u; fails; said 'could not decide'; kept",
	},
	{
		"without a place a client crashes it once",
		"ExecStart=/bin/sh -c 'test -e /run/once || { touch /run/once; exit 1; }; exec sleep infinity'", "",
		"echo 3 >/run/proof.$u; fails; said 'starts hardened when it is tried again'; kept; systemctl is-active $u",
	},
	{
		"without a place the guard is killed in the middle",
		"ExecStart=/bin/sh -c 'grep -q NoNewPrivs:.1 /proc/self/status && exit 1; exec sleep infinity'",
		"NoNewPrivileges = true\n[prove]\nsettle = \"30s\"\n",
		"echo 3 >/run/proof.$u; fails; wait_for 'test -e /run/systemd/system/$u.service.d/50-temper.conf'; " +
			"wait_for 'test $(systemctl show -P ActiveState $u) = active'; kill -9 $(systemctl show -P MainPID " +
			"temper-guard@$u); " +
			"wait_for 'test ! -e /run/systemd/system/$u.service.d/50-temper.conf'; wait_for kept", // its reload follows
	},
	{
		"it does start only without its hardening, and there is no place",
		"ExecStart=/bin/sh -c 'grep -q NoNewPrivs:.1 /proc/self/status && exit 1; exec sleep infinity'",
		"NoNewPrivileges = true\n",
		"echo 3 >/run/proof.$u; fails; said 'which it keeps'; softened; systemctl is-active $u; " +
			"test ! -e /run/systemd/system/$u.service.d; systemctl restart $u; systemctl is-active $u",
	},
	{
		"the sandbox cannot be set up", "ExecStart=/bin/sleep infinity",
		"ProtectSystem = \"strict\"\nReadWritePaths = [\"/srv/loop\"]\n",
		"echo 3 >/run/proof.$u; ln -s loop /srv/loop; fails; said 'which it keeps'; softened; systemctl is-active " +
			"$u; " +
			// What only systemd since 256 can say needs no experiment.
			"if test $version -ge 256; then ! journalctl -u $u -o cat MESSAGE_ID=39f53479d3a045ac8e11786248231fbf | " +
			"grep -c . | grep -v '^[12]$'; fi",
	},
	{
		"a proof finds what breaks it",
		"ExecStart=/bin/sh -c 'grep -q NoNewPrivs:.1 /proc/self/status && exit 1; exec sleep infinity'",
		"NoNewPrivileges = true\n",
		"echo \"sed -i s/NoNewPrivileges/PrivateTmp/ /etc/temper/profiles.d/$u.toml\" >/run/meanwhile.$u; " +
			"fails; said 'has found why'; kept; systemctl is-active $u",
	},
}

const helpers = `
wait_for() {
	set +x
	left=$((${patience:-30} * 2))
	while [ $((left -= 1)) -ge 0 ]; do if eval "$1"; then set -x; return 0; fi; sleep 0.5; done
	set -x
	echo "waited in vain for $1"
	return 1
}
others_are_done() { # A guard reloads systemd at its end, and another run would have begun before that.
wait_for "! systemctl list-units --plain --no-legend --state=activating,deactivating 'u*.service' | grep -q . &&
! systemctl list-units --plain --no-legend --state=activating,active,deactivating 'temper-*@*' | grep -q ."; }
fails() { systemctl reset-failed $u || :; systemctl start $u || :; failed; }
failed() { sleep 0.5; }
said() { wait_for "journalctl --sync; journalctl -o cat -u temper-guard@$u | grep -q '$1'"; wait_for 'test $(systemctl show -P ActiveState temper-guard@$u) != active'; }
kept() { test -e /run/systemd/generator/$u.service.d/50-temper.conf &&
test ! -e /etc/temper/verdicts/$u.service.json && test ! -e /run/systemd/system/$u.service.d/50-temper.conf; }
softened() { test ! -e /run/systemd/generator/$u.service.d/50-temper.conf && grep -q '"verdict": "broken"' /etc/temper/verdicts/$u.service.json; }
`

// TestSystemdGuard tries to force the guard, on real systemd.
func TestSystemdGuard(t *testing.T) {
	t.Parallel()
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	files := []place.File{
		file("/etc/temper/temper.toml", "unproven = \"enforce\"\n"),
		{Name: "/usr/local/bin/stub", Data: []byte(stub), Mode: 0o755},
		file(
			"/etc/systemd/system/temper-renew@.service.d/stub.conf",
			"[Service]\nExecStart=\nExecStart=/usr/local/bin/stub %i\n",
		),
	}
	for i, a := range attacks {
		profile := a.profile
		if profile == "" {
			profile = "NoNewPrivileges = true\n"
		}
		files = append(
			files,
			file(
				fmt.Sprintf("/etc/systemd/system/u%d.service", i),
				"[Unit]\nStartLimitBurst=4\n\n[Service]\n"+a.service+"\n",
			),
			file(
				fmt.Sprintf("/etc/temper/profiles.d/u%d.toml", i),
				fmt.Sprintf("units = [\"u%d.service\"]\n\n[service]\n%s", i, profile),
			),
		)
	}
	files = slices.Concat(files, programs(t), guardUnits(t))
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			p, err := place.Container(
				t.Context(),
				place.Options{Image: testroot.Path(t, suite), Files: files, Unit: "multi-user.target"},
			)
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			command(t, p, "touch /run/proofs")
			for i, a := range attacks {
				t.Run(a.name, func(t *testing.T) {
					do := a.do
					if !strings.Contains(do, "fails;") {
						do = "others_are_done; systemctl start $u; " + do
					}
					script := fmt.Sprintf(
						"u=u%d version=%d; %s set -ex\n%s",
						i,
						testroot.Versions[suite],
						helpers,
						strings.ReplaceAll(do, "; ", "\n"),
					)
					r, err := p.Run(t.Context(), place.Command{Args: []string{"/bin/sh", "-c", script}})
					if err != nil {
						t.Fatal(err)
					}
					if r.Status != 0 {
						log := command(
							t,
							p,
							fmt.Sprintf(
								"journalctl --no-pager -o short-precise -u u%[1]d -u temper-guard@u%[1]d -u "+
									"temper-renew@u%[1]d | tail -n 60; systemctl cat u%[1]d",
								i,
							),
						)
						t.Errorf("status %d:\n%s%s\n%s", r.Status, r.Stdout, r.Stderr, log)
					}
				})
			}
		})
	}
}

// guardUnits are the units of the guard.
func guardUnits(t *testing.T) []place.File {
	t.Helper()
	var files []place.File
	for _, name := range []string{
		"temper-guard@.service", "temper-guard.service", "temper-guard.timer",
		"temper-renew@.service",
	} {
		data, err := os.ReadFile(filepath.Join("../packaging/systemd", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, place.File{Name: "/usr/lib/systemd/system/" + name, Data: data})
	}
	return files
}

// TestSystemdGuardBounded: whatever a service logs, the guard needs little memory and little of the processor.
func TestSystemdGuardBounded(t *testing.T) {
	const lines, mostMemory, mostSeconds = 400_000, 64 << 10, 2.0
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	files := slices.Concat(programs(t), guardUnits(t), []place.File{
		file("/etc/temper/temper.toml", "unproven = \"enforce\"\n"),
		file(
			"/etc/temper/profiles.d/chatty.toml",
			"units = [\"chatty.service\"]\n\n[service]\nNoNewPrivileges = true\n",
		),
		file(
			"/etc/systemd/system/chatty.service",
			fmt.Sprintf(
				"[Unit]\nOnFailure=\n\n[Service]\nType=oneshot\nLogRateLimitIntervalSec=0\n"+
					"ExecStart=/bin/sh -c 'seq %d; exit 1'\n",
				lines,
			),
		),
		file(
			"/etc/systemd/journald.conf.d/all.conf",
			"[Journal]\nRateLimitIntervalSec=0\nRuntimeMaxUse=4G\nSystemMaxUse=4G\n",
		),
		{Name: "/usr/local/bin/stub", Data: []byte(stub), Mode: 0o755},
		file(
			"/etc/systemd/system/temper-renew@.service.d/stub.conf",
			"[Service]\nExecStart=\nExecStart=/usr/local/bin/stub %i\n",
		),
		{Name: "/usr/local/bin/measure", Mode: 0o755, Data: []byte(`#!/bin/bash
TIMEFORMAT='%U %S'
children() { for parent; do cat /proc/$parent/task/*/children 2>/dev/null; done; }
{ time temper guard chatty >/run/said 2>&1; } 2>/run/spent &
most=0
while jobs -r | grep -q .; do
	guard=$(children $!)
	sum=0
	for pid in $guard $(children $guard); do
		anon=$(awk '/^RssAnon/ { print $2 }' /proc/$pid/status 2>/dev/null)
		sum=$((sum + ${anon:-0}))
	done
	test $sum -le $most || most=$sum
done
wait
echo $most $(awk '{ print $1 + $2 }' /run/spent) $(cat /run/said)
`)},
	})
	p, err := place.Container(
		t.Context(),
		place.Options{Image: testroot.Path(t, "trixie"), Files: files, Unit: "multi-user.target"},
	)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	command(
		t,
		p,
		"systemctl mask --runtime temper-guard@chatty.service; systemctl daemon-reload; systemctl start chatty; "+
			"journalctl --sync; systemctl unmask --runtime temper-guard@chatty.service",
	)
	if n := strings.TrimSpace(command(t, p, "journalctl -o cat -u chatty | wc -l")); n < strconv.Itoa(lines) {
		t.Fatalf("the journal has %s lines", n)
	}
	fields := strings.Fields(command(t, p, "measure"))
	if len(fields) < 3 {
		t.Fatalf("measured %q", fields)
	}
	t.Log(strings.Join(fields, " "))
	memory, _ := strconv.Atoi(fields[0])
	seconds, _ := strconv.ParseFloat(fields[1], 64)
	if memory == 0 || memory > mostMemory || seconds == 0 || seconds > mostSeconds {
		t.Errorf("%d KiB and %.1f s of the processor, want at most %d KiB and %.1f s", memory, seconds, mostMemory,
			mostSeconds)
	}
	if said := strings.Join(fields[2:], " "); !strings.Contains(said, "is not at fault and stays") {
		t.Errorf("said %q", said)
	}
}
