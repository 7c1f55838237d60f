package integration_test

import (
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// TestSystemdReproduce runs what a user would type once a proof has found something: temper prove --tighten names the
// line of a profile that is looser than the proof needs, and it runs the commands of `temper show --reproduce`: under
// them each service breaks as it did in its trial, also one with lines of its own, which systemd adds to those of a
// drop-in, and works again after those that come last.
func TestSystemdReproduce(t *testing.T) {
	t.Parallel()
	services := []struct{ name, command, setting, demoted, own string }{
		{"writes", "touch /srv/writes", `ProtectSystem = "strict"`, "ReadWritePaths", ""},
		{
			"owns", "touch /run/owns && chown nobody /run/owns", `CapabilityBoundingSet = [""]`,
			"CapabilityBoundingSet", "",
		},
		{"unshares", "unshare -U true", "RestrictNamespaces = true", "RestrictNamespaces", ""},
		{"persona", "setarch -R true", "LockPersonality = true", "LockPersonality", ""},
		{
			"has", "rm -f /run/has && touch /run/has && chown nobody /run/has", `CapabilityBoundingSet = ["CAP_KILL"]`,
			"CapabilityBoundingSet", "CapabilityBoundingSet=CAP_CHOWN CAP_KILL\n",
		},
	}
	files := programs(t)
	file := func(name, text string) { files = append(files, place.File{Name: name, Data: []byte(text)}) }
	file("/etc/systemd/system/loose.service", "[Service]\nExecStart=sleep infinity\n")
	file("/etc/temper/profiles.d/loose.toml",
		"units = [\"loose.service\"]\n\n[service]\nProtectSystem = \"strict\"\nReadWritePaths = [\"-/opt\"]\n")
	for _, s := range services {
		file("/usr/lib/systemd/system/"+s.name+".service", "[Service]\n"+s.own+"ExecStart=/bin/sh -c '"+s.command+
			" && exec sleep infinity'\n")
		file("/etc/temper/profiles.d/"+s.name+".toml", "units = [\""+s.name+
			".service\"]\napply = [\"started\"]\n\n[service]\nPrivateTmp = true\n"+s.setting+
			"\n\n[prove]\nsettle = \"300ms\"\n")
	}
	p, err := place.Container(t.Context(),
		place.Options{Trusted: true, Image: testroot.Path(t, "trixie"), Files: files})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	t.Run("loose", func(t *testing.T) {
		out := command(t, p, "temper prove --place host --tighten loose; echo status $?")
		if !strings.Contains(out, "\nstatus 1\n") || !strings.Contains(out, "loose.toml:5") ||
			!strings.Contains(out, "/opt") {
			t.Error(out)
		}
	})
	for _, s := range services {
		t.Run(s.name, func(t *testing.T) {
			out := command(t, p, "sudo() { \"$@\"; }; temper prove --place host --reload "+s.name+"; temper show "+
				s.name+" --reproduce "+s.demoted+" >/run/by-hand && "+
				"sed '/^# and back:/,$d' /run/by-hand >/run/break && sed -n '/^# and back:/,$p' /run/by-hand "+
				">/run/back && "+
				". /run/break && sleep 0.3; echo then $(systemctl is-active "+s.name+
				"); . /run/back && sleep 0.3; echo now $(systemctl is-active "+s.name+")")
			if !strings.Contains(out, "\nthen failed\n") || !strings.Contains(out, "\nnow active\n") {
				t.Error(out)
			}
		})
	}
}
