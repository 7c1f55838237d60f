package integration_test

import (
	"slices"
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// TestSystemdSwitches boots with every way to keep temper from a unit: probe gets it or not, other always does.
func TestSystemdSwitches(t *testing.T) {
	t.Parallel()
	tree := testroot.Path(t, "trixie")
	installed := programs(t)
	const enforce = "unproven = \"enforce\"\n"
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	tests := []struct {
		name         string
		args         []string
		files        []place.File
		after        string // a command before the manager reloads
		probe, other string // NoNewPrivileges=
	}{
		{"nothing", nil, nil, "", "yes", "yes"},
		{"temper=0", []string{"temper=0"}, nil, "", "no", "no"},
		{"temper.skip", []string{"temper.skip=probe.service"}, nil, "", "no", "yes"},
		{"disabled", nil, []place.File{file("/etc/temper/disabled", "")}, "", "no", "no"},
		{
			"exclude", nil,
			[]place.File{file("/etc/temper/temper.toml", enforce+"exclude = [\"pro*\"]\n")},
			"", "no",
			"yes",
		},
		{
			"a mask of the drop-in", nil, nil,
			"mkdir -p /etc/systemd/system/probe.service.d; ln -s /dev/null " +
				"/etc/systemd/system/probe.service.d/50-temper.conf", "no", "yes",
		},
		{"the administrator", nil, []place.File{file("/etc/systemd/system/probe.service.d/override.conf",
			"[Service]\nNoNewPrivileges=no\n")}, "", "no", "yes"},
		{"wrong settings", nil, []place.File{file("/etc/temper/temper.toml", enforce+"exclude = 3\n")}, "", "no", "no"},
		{
			"a mask of the generator", nil, nil,
			"mkdir -p /etc/systemd/system-generators; ln -s /dev/null /etc/systemd/system-generators/temper-generator",
			"no", "no",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			const unit = "[Service]\nExecStart=/bin/sleep infinity\n"
			files := slices.Concat(installed, []place.File{
				file("/usr/lib/systemd/system/probe.service", unit),
				file("/usr/lib/systemd/system/other.service", unit),
				file("/etc/temper/profiles.d/p.toml",
					"units = [\"probe.service\", \"other.service\"]\n\n[service]\nNoNewPrivileges = true\n"),
				file("/etc/temper/temper.toml", enforce),
			}, tt.files)
			p, err := place.Container(t.Context(),
				place.Options{Trusted: true, Image: tree, Files: files, Unit: "multi-user.target", Args: tt.args})
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			if tt.after != "" {
				command(t, p, tt.after+"; systemctl daemon-reload")
			}
			out := command(t, p, "for u in probe other; do systemctl start $u; systemctl show -P NoNewPrivileges $u; "+
				"systemctl is-active $u; done")
			if want := tt.probe + "\nactive\n" + tt.other + "\nactive\n"; out != want {
				t.Errorf("got %q, want %q", strings.Fields(out), strings.Fields(want))
			}
		})
	}
}
