package integration_test

import (
	"testing"
	"time"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// drafting is how a person drafts profiles for a machine. Of its services needs.service is one that a draft can be made
// for, and absent.service finds on the machine alone what it needs. Everything that was proven or tried applies there,
// except what is a draft.
var drafting = []struct{ name, do string }{
	{
		"every service that runs without a profile is drafted, except those that are critical for the boot",
		`touch /run/here
		systemctl start absent
		status=0; temper draft --all --write >/run/out 2>/run/said || status=$?
		cat /run/said; test $status = 1
		grep '^temper: left out, since they are critical for the boot: dbus.service.*; name one to draft it$' /run/said
		grep '^temper: needs.service: exposure .* 1 checks, .* in /etc/temper/profiles.d/needs.toml$' /run/said
		grep 'absent.service: no profile can be drafted: the proof is broken-baseline' /run/said
		grep '^temper: 1 drafts, 1 services without one$' /run/said
		test "$(ls /etc/temper/profiles.d)" = needs.toml`,
	},
	{
		"a draft has what it needs, what the vendor grants, and the mark",
		`cd /etc/temper/profiles.d
		grep -x 'draft  *= true' needs.toml
		grep -Fx 'ReadWritePaths = ["-/srv/needs"]' needs.toml
		grep -x "# the vendor's unit grants it by name: .*CAP_NET_ADMIN.*" needs.toml
		grep -x 'CapabilityBoundingSet = .*CAP_NET_ADMIN.*' needs.toml`,
	},
	{
		"its proof is kept and told, and status tells it from a profile",
		`grep '"draft": true' /etc/temper/verdicts/needs.service.json
		temper status | tee /dev/stderr | grep '1 draft'
		temper status --format json needs | grep '"state": "draft"'
		temper show needs | tee /dev/stderr | grep 'decided by: draft '`,
	},
	{
		"a second run has nothing more to draft",
		`systemctl stop absent
		temper draft --all --write 2>/run/said
		grep '^temper: 0 drafts, 0 services without one$' /run/said`,
	},
}

// TestSystemdDraftAll is temper draft on a machine, for all of its services that have no profile.
func TestSystemdDraftAll(t *testing.T) {
	t.Parallel()
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	service := func(name, lines string) place.File {
		return file("/etc/systemd/system/"+name, "[Service]\nType=notify\n"+lines)
	}
	p, err := place.Container(t.Context(), place.Options{
		Trusted: true, Image: testroot.Path(t, "packages-trixie"), Unit: "multi-user.target", Timeout: 3 * time.Minute,
		Files: append(programs(t),
			file("/etc/temper/temper.toml", "unproven = \"enforce\"\napply = [\"proven\", \"started\"]\n"),
			file("/srv/needs/.keep", ""),
			service("needs.service", "CapabilityBoundingSet=CAP_NET_ADMIN CAP_CHOWN\n"+
				"ExecStart=/usr/local/bin/trap notify listen=127.0.0.1:7778 write=/srv/needs\n"),
			service("absent.service", "ExecStartPre=test -e /run/here\n"+
				"ExecStart=/usr/local/bin/trap notify listen=@absent\n"),
			file("/etc/systemd/system/multi-user.target.d/wants.conf", "[Unit]\nWants=needs.service\n")),
	})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	for _, step := range drafting {
		r, err := p.Run(t.Context(), place.Command{
			Args:    []string{"/bin/sh", "-c", "set -ex\n" + step.do},
			Timeout: 2 * proofTimeout, // some have several
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != 0 {
			t.Fatalf("%s: status %d:\n%s%s", step.name, r.Status, r.Stdout, r.Stderr)
		}
	}
}
