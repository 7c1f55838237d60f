package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// applied are services that run, what changes for them, and what temper status and apply then say and do. Commands are
// those of a shell in the place; $u is the service, and "profile" gives it another hardening.
var applied = []struct {
	name, service string
	do            string
}{
	{
		"it takes effect", "ExecStart=/bin/sleep infinity",
		"profile PrivateTmp; state restart-needed; systemctl daemon-reload; state restart-needed; ! has PrivateTmp; " +
			"temper apply $u; state hardened; loaded; clean; was=$(pid); temper apply $u | grep already; test $was = $(pid)",
	},
	{
		"it does not come up hardened", "ExecStart=/bin/sh -c 'test -e /tmp/needed || exit 7; exec sleep infinity'",
		"profile PrivateTmp; exits 1 temper apply $u; grep went-back /run/said.$u; up; clean; " +
			"grep -q '\"verdict\": \"broken\"' /etc/temper/verdicts/$u.service.json; state broken; " +
			"systemctl daemon-reload; systemctl restart $u; up",
	},
	{
		"a check fails that passed before", "ExecStart=/bin/sleep infinity",
		"profile NoNewPrivileges; check 'no new privileges is off' '! grep -q NoNewPrivs:.1 " +
			"/proc/$(systemctl show -P MainPID $TEMPER_UNIT)/status'; exits 1 temper apply $u; " +
			"grep 'the check .no new privileges is off. fails' /run/said.$u; up; clean; ! hardened; state broken",
	},
	{
		"a check that fails before says nothing", "ExecStart=/bin/sleep infinity",
		"profile NoNewPrivileges; check never false; temper apply $u | tee /run/said.$u; grep 'failed before' /run/said.$u; " +
			"hardened; state hardened",
	},
	{
		"it goes back to the hardening that it had",
		"ExecStart=/bin/sh -c 'test -e /tmp/needed || exit 7; exec sleep infinity'",
		"profile NoNewPrivileges; temper apply $u; hardened; profile NoNewPrivileges PrivateTmp; state restart-needed; " +
			"systemctl daemon-reload; state restart-needed; exits 1 temper apply $u; up; hardened; clean; " +
			"systemctl daemon-reload; systemctl restart $u; up; hardened",
	},
	{
		"its own files keep it from starting",
		"ExecStart=/bin/sh -c 'test ! -e /run/bad-%N || exit 3; exec sleep infinity'",
		"profile NoNewPrivileges; touch /run/bad-$u; exits 1 temper apply $u; grep 'does not start either' /run/said.$u; " +
			"clean; ! test -e /etc/temper/verdicts/$u.service.json; rm /run/bad-$u; systemctl reset-failed $u; " +
			"systemctl start $u; hardened",
	},
	{
		"apply is interrupted", "ExecStart=/bin/sleep infinity",
		"profile NoNewPrivileges; settle 3s; was=$(pid); (temper apply $u >/run/said.$u 2>&1 & echo $! >/run/pid.$u); " +
			"wait_for 'test $(pid) != $was'; kill -INT $(cat /run/pid.$u); wait_for '! test -e /proc/$(cat /run/pid.$u)'; " +
			"grep applied /run/said.$u; grep interrupted /run/said.$u; hardened; clean",
	},
	{
		"it does not run", "ExecStart=/bin/sleep infinity",
		"systemctl stop $u; profile NoNewPrivileges; temper apply $u | grep at-next-start; state at-next-start; " +
			"systemctl start $u; hardened; state hardened",
	},
	{
		"nothing is decided", "ExecStart=/bin/sleep infinity",
		"exits 3 temper apply $u; grep 'no hardening to apply' /run/said.$u; exits 3 temper apply nosuch",
	},
	{
		"it is revoked", "ExecStart=/bin/sleep infinity",
		"profile NoNewPrivileges PrivateTmp; temper apply $u; hardened; temper revoke $u; state restart-needed; " +
			"temper apply $u; ! hardened; state not-hardened; ! temper show $u | grep 'can no longer'",
	},
	{
		"apply is killed, and the service fails",
		"ExecStart=/bin/sh -c 'trap exit TERM; sleep 4 & wait; test -e /tmp/needed'",
		"profile PrivateTmp; settle 20s; was=$(pid); (temper apply $u >/run/said.$u 2>&1 & echo $! >/run/pid.$u); " +
			"wait_for 'test $(pid) != $was'; kill -9 $(cat /run/pid.$u); clean; wait_for 'journalctl --sync; journalctl -u temper-guard@$u | grep -q \"does not start hardened\"'",
	},
	{
		"without names", "ExecStart=/bin/sleep infinity",
		"profile NoNewPrivileges; exits 2 temper apply </dev/null; " +
			"grep \"^  $u.service\" /run/said.$u; grep -e --yes " +
			"/run/said.$u; ! hardened; temper apply --yes; hardened; temper apply | grep 'nothing needs a restart'",
	},
}

// applyHelpers are shell functions for them.
const applyHelpers = `
pid() { systemctl show -P MainPID $u; }
up() { test $(systemctl show -P ActiveState $u) = active; }
# systemd calls a service started before it has hardened and executed it.
executed() { while grep -q '^(\|^systemd' /proc/$(pid)/comm; do sleep 0.1; done; }
hardened() { executed; grep -q 'NoNewPrivs:.1' /proc/$(pid)/status; }
has() { temper status $u --format json | grep -q "\"$1\": \"has"; return $?; }
loaded() { systemctl show -P DropInPaths $u | grep -q generator/$u.service.d/50-temper.conf; }
clean() { test ! -e /run/systemd/system/$u.service.d; }
state() { temper status $u --format json | grep -F "\"state\": \"$1\"" || { temper status $u; false; }; }
profile() {
	printf 'units = ["%s.service"]\n[service]\n' $u >/etc/temper/profiles.d/$u.toml
	for d; do echo "$d = true" >>/etc/temper/profiles.d/$u.toml; done
}
settle() { printf '[prove]\nsettle = "%s"\n' $1 >>/etc/temper/profiles.d/$u.toml; }
check() { printf '[[check]]\nname = "%s"\nlive = true\nretry = "0s"\nexec = ["sh", "-c", """%s"""]\n' "$1" "$2" >>/etc/temper/profiles.d/$u.toml; }
exits() {
	want=$1 got=0
	shift
	"$@" >/run/said.$u 2>&1 || got=$?
	cat /run/said.$u
	test $got = $want
}
`

// TestSystemdApply: temper status reads what runs, and temper apply changes that or goes back.
func TestSystemdApply(t *testing.T) {
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	files := slices.Concat(programs(t), guardUnits(t), []place.File{
		file("/etc/temper/temper.toml", "unproven = \"enforce\"\n"),
		file("/etc/temper/profiles.d/none.toml", "description = \"for the directory\"\nunits = [\"none.service\"]\n"),
		{Name: "/usr/local/bin/stub", Data: []byte(stub), Mode: 0o755},
		file("/etc/systemd/system/temper-renew@.service.d/stub.conf",
			"[Service]\nExecStart=\nExecStart=/usr/local/bin/stub %i\n"),
	})
	for i, a := range applied {
		files = append(files, file(fmt.Sprintf("/etc/systemd/system/a%d.service", i), "[Service]\n"+a.service+"\n"))
	}
	p, err := place.Container(t.Context(), place.Options{
		Image: testroot.Path(t, "trixie"), Files: files, Unit: "multi-user.target", Trusted: true,
	})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	command(t, p, "touch /tmp/needed /run/proofs")
	// The last two run alone: a guard sees no hardening while a reload of another row writes it anew, and without names
	// apply restarts what the others have left.
	alone := len(applied) - 2
	try := func(t *testing.T, i int) {
		a := applied[i]
		t.Run(a.name, func(t *testing.T) {
			if i < alone {
				t.Parallel()
			}
			script := fmt.Sprintf("u=a%d; %s %s set -ex; systemctl start $u; sleep 0.5\n%s", i, helpers, applyHelpers,
				strings.ReplaceAll(a.do, "; ", "\n"))
			r, err := p.Run(t.Context(), place.Command{Args: []string{"/bin/sh", "-c", script}})
			if err != nil {
				t.Fatal(err)
			}
			if r.Status != 0 {
				log := command(t, p, fmt.Sprintf("journalctl --no-pager -u a%[1]d -u temper-guard@a%[1]d | "+
					"tail -n 30; temper status a%[1]d", i))
				t.Errorf("status %d:\n%s%s\n%s", r.Status, r.Stdout, r.Stderr, log)
			}
			command(t, p, fmt.Sprintf("systemctl stop a%d", i))
		})
	}
	t.Run("by name", func(t *testing.T) {
		for i := range alone {
			try(t, i)
		}
	})
	try(t, alone)
	try(t, alone+1)
}
