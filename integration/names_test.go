package integration_test

import (
	"slices"
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// TestSystemdNames boots with units under all kinds of names, and asks systemd what each has come to.
func TestSystemdNames(t *testing.T) {
	t.Parallel()
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	const vendor, admin, profile = "/usr/lib/systemd/system/", "/etc/systemd/system/", "/etc/temper/profiles.d/"
	const service, harden = "[Service]\nExecStart=/bin/sleep infinity\n",
		"\n[service]\nNoNewPrivileges = true\nProtectHostname = true\n"
	const reads = "[Service]\nExecStart=/bin/sh -c 'cat /etc/keys/key >/run/%n.read; exec sleep infinity'\n"
	files := []place.File{
		file("/etc/temper/temper.toml", "unproven = \"enforce\"\n"),
		file(profile+"all.toml", "units = [\"nick.service\", \"my-web.service\", \"gone.service\", "+
			"\"nowhere.service\", \"t@.service\", \"plain.service\"]\n"+harden),
		file(vendor+"plain.service", service), file(vendor+"real.service", service),
		file(vendor+"gone.service", service),
		file(vendor+"t@.service", service), file(admin+"t@own.service.d/x.conf", "[Service]\nNoNewPrivileges=no\n"),
		file(vendor+"my-web.service", service), file(admin+"my-.service.d/x.conf", "[Service]\nNoNewPrivileges=no\n"),
		file(admin+"service.d/x.conf", "[Service]\nProtectHostname=no\n"),

		file("/etc/keys/key", "secret\n"),
		file(profile+"keeper.toml", "units = [\"keeper.service\"]\nsecrets = [\"/etc/keys\"]\n"+
			"secrets_for = [\"friend.service\"]\n"+harden),
		file(profile+"others.toml", "units = [\"friend.service\", \"stranger.service\"]\n"+harden),
		file(vendor+"keeper.service", reads), file(vendor+"friend.service", reads),
		file(vendor+"stranger.service", reads),

		file(profile+"closed.toml", "units = [\"closed.service\"]\n\n[service]\nNoExecPaths = [\"/srv\"]\n"+
			"PrivateTmp = true\n"),
		file(vendor+"closed.service", "[Service]\nProtectSystem=strict\nReadWritePaths=/run\n"+
			"ExecStart=/bin/sh -c 'touch /srv/open; echo done >/run/closed; exec sleep infinity'\n"),
	}
	// NoNewPrivileges= and ProtectHostname=. Where a unit or a prefix has an x.conf, that of all services is hidden by
	// it.
	want := `plain yes no
nick yes no
real yes no
my-web no yes
t@one yes no
t@own no yes
gone masked
nowhere not-found
keeper.service secret
friend.service secret
stranger.service
closed done
`
	installed := programs(t)
	for _, suite := range []string{"bookworm", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			t.Parallel()
			tree := testroot.Path(t, suite)
			p, err := place.Container(t.Context(),
				place.Options{
					Trusted: true, Image: tree, Files: slices.Concat(files, installed),
					Unit: "multi-user.target",
				})
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			out := command(t, p, `
				ln -s `+vendor+`real.service `+admin+`nick.service; ln -s /dev/null `+admin+`gone.service; systemctl daemon-reload
				for u in plain nick real my-web t@one t@own; do
					echo $u $(systemctl show -P NoNewPrivileges -P ProtectHostname $u)
				done
				for u in gone nowhere; do echo $u $(systemctl show -P LoadState $u); done
				systemctl start keeper friend stranger closed
				for i in $(seq 100); do [ "$(systemctl show -P SubState keeper friend stranger closed | grep -c running)" = 4 ] && [ -s /run/closed ] && [ -e /run/stranger.service.read ] && break; sleep 0.05; done
				sleep 0.2
				for u in keeper friend stranger; do echo $u.service $(cat /run/$u.service.read); done
				echo closed $(cat /run/closed) $(ls /srv)`)
			if strings.Join(strings.Fields(out), " ") != strings.Join(strings.Fields(want), " ") {
				t.Errorf("got\n%s\nwant\n%s", out, want)
			}
		})
	}
}
