package integration_test

import (
	"os"
	"testing"
	"time"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// A draftStep is a step with drafts, as commands of a shell in a machine.
type draftStep struct{ name, do string }

// notApplied fails unless needs.service runs as its vendor wrote it, and is told as a draft.
const notApplied = `! ls /run/systemd/generator/*.service.d/50-temper.conf
	grep 'NoNewPrivs:.0' /proc/$(systemctl show -P MainPID needs)/status
	temper status | tee /dev/stderr | grep '^1 draft'`

// Of the services of the machine needs.service has a draft, and other.service gets one. The settings apply everything
// that was proven or tried, so that nothing but the mark keeps a draft from it. draftSteps are before the second boot,
// and draftedSteps after it.
var draftSteps = []draftStep{
	{"nothing of a draft applies at a boot", notApplied},
	{
		"it is proven and shown, and status tells it from a profile",
		`systemctl stop needs
		temper prove --place host needs
		grep '"draft": true' /etc/temper/verdicts/needs.service.json
		temper status --format json needs | grep '"state": "draft"'
		temper show needs | tee /dev/stderr | grep 'decided by: draft '`,
	},
}

var draftedSteps = []draftStep{
	{"nor does it at the boot after its proof", notApplied},
	{
		"without the mark and proven, it is a profile like any other",
		`sed -i '/^draft/d' /etc/temper/profiles.d/needs.toml
		systemctl stop needs
		temper prove --place host needs
		systemctl daemon-reload
		grep 'ReadWritePaths=-/srv/needs' /run/systemd/generator/needs.service.d/50-temper.conf
		systemctl start needs
		grep 'NoNewPrivs:.1' /proc/$(systemctl show -P MainPID needs)/status
		temper status | tee /dev/stderr | grep '^1 hardened'`,
	},
	{
		"where the base of unprofiled applies, it goes on applying beside a draft",
		`printf 'apply = ["proven", "started"]\nunprofiled = "base/baseline"\n' >/etc/temper/temper.toml
		temper prove --place host other
		systemctl daemon-reload
		cp /run/systemd/generator/other.service.d/50-temper.conf /run/before
		sed 's/needs/other/; s/^units/draft = true\n&/' /etc/temper/profiles.d/needs.toml >/etc/temper/profiles.d/other.toml
		systemctl daemon-reload
		cmp /run/systemd/generator/other.service.d/50-temper.conf /run/before
		temper status other | tee /dev/stderr | grep 'there is a draft for it, /etc/temper/profiles.d/other.toml'`,
	},
}

// TestSystemdDraftMark: a draft applies when a person has taken its mark away and it is proven, and not before, over
// two boots.
func TestSystemdDraftMark(t *testing.T) {
	t.Parallel()
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	baseline, err := os.ReadFile("../profiles/library/base/baseline.toml")
	if err != nil {
		t.Fatal(err)
	}
	const service = "[Service]\nType=notify\nExecStart=/usr/local/bin/trap notify "
	options := place.Options{
		Trusted: true, Image: testroot.Path(t, "trixie"), Unit: "multi-user.target", Timeout: 3 * time.Minute,
		Files: append(programs(t),
			file("/etc/temper/temper.toml", "unproven = \"enforce\"\napply = [\"proven\", \"started\"]\n"),
			file("/etc/temper/profiles.d/needs.toml", "units = [\"needs.service\"]\ndraft = true\n"+
				"[service]\nNoNewPrivileges = true\nProtectSystem = \"strict\"\nReadWritePaths = [\"-/srv/needs\"]\n"),
			file("/usr/lib/temper/profiles.d/base/baseline.toml", string(baseline)),
			file("/srv/needs/.keep", ""),
			file("/etc/systemd/system/needs.service", service+"listen=127.0.0.1:7778 write=/srv/needs\n"),
			file("/etc/systemd/system/other.service", service+"listen=@other\n"),
			file("/etc/systemd/system/multi-user.target.d/needs.conf", "[Unit]\nWants=needs.service\n")),
	}
	p, err := place.Container(t.Context(), options)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	takeSteps(t, p, draftSteps)
	p = bootAgain(t, p, options.Image, options)
	takeSteps(t, p, draftedSteps)
}

func takeSteps(t *testing.T, p *place.Place, steps []draftStep) {
	t.Helper()
	for _, step := range steps {
		r, err := p.Run(t.Context(), place.Command{
			Args: []string{"/bin/sh", "-c", "set -ex\n" + step.do}, Timeout: proofTimeout,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Status != 0 {
			t.Fatalf("%s: status %d:\n%s%s", step.name, r.Status, r.Stdout, r.Stderr)
		}
	}
}
