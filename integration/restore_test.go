package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// TestSystemdRestore: trials on the host write nothing into the data of services whose profiles say state = "restore",
// and when a proof is killed no service ever runs on a copy. With -every it does so on every version.
func TestSystemdRestore(t *testing.T) {
	t.Parallel()
	files := slices.Concat(programs(t), servicesWithData())
	trees := []string{"trixie"}
	if *every {
		trees = append(trees, "bookworm", "sid")
	}
	for _, name := range trees {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := place.Container(t.Context(), place.Options{
				Trusted: true, Image: testroot.Path(t, name), Files: files,
			})
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			restored(t, p)
		})
	}
}

// servicesWithData are services that keep data in directories of several kinds, and their profiles.
func servicesWithData() []place.File {
	var files []place.File
	file := func(name, text string) { files = append(files, place.File{Name: name, Data: []byte(text)}) }
	profile := func(name, settings, settle string) {
		file("/etc/temper/profiles.d/"+name+".toml", fmt.Sprintf(
			"units = [\"%s.service\"]\napply = [\"started\"]\n\n"+
				"[service]\n%s\n\n[prove]\nstate = \"restore\"\nsettle = \"%s\"\n", name,
			settings, settle,
		))
	}
	unit := func(name, text string) { file("/etc/systemd/system/"+name+".service", "[Service]\n"+text) }
	service := func(name, text string) {
		unit(name, text)
		profile(name, "NoNewPrivileges = true\nReadWritePaths = [\"-/srv/"+name+"\"]", "300ms")
	}
	service("keeps", "StateDirectory=keeps keeps/sub\nCacheDirectory=keeps\n"+
		"ExecStart=/bin/sh -c 'echo run >>/var/lib/keeps/log; rm -f /srv/keeps/old; exec sleep infinity'\n")
	service("moves", "DynamicUser=yes\nStateDirectory=moves\n"+
		"ExecStart=/bin/sh -c 'echo run >>/var/lib/moves/log; exec sleep infinity'\n")
	service("nests", "StateDirectory=nests nests/sub\nExecStart=/bin/sleep infinity\n")
	service("binds", "BindPaths=/srv/real:/srv/shown\nReadWritePaths=/srv/link\n"+
		"ExecStart=/bin/sh -c 'echo run | tee -a /srv/shown/log >>/srv/link/log; exec sleep infinity'\n")
	service("within", "StateDirectory=keeps/sub\n"+
		"ExecStart=/bin/sh -c 'while :; do echo run >>/var/lib/keeps/sub/log; sleep 0.1; done'\n")
	service("busy", "StateDirectory=busy\nExecStart=/bin/sleep infinity\n")
	service("leaves", "ExecStart=/bin/sh -c 'mkdir -p /run/leaves; exec sleep infinity'\n")
	service("shares", "ExecStart=/bin/sleep infinity\nReadWritePaths=/var/log\n")
	unit("begins", "StateDirectory=begins\nExecStart=/bin/sleep infinity\nExecStartPre=/bin/sh -c "+
		"'cd /var/lib/begins; test -e key || { echo new >new && chown 1:1 new && mv new key; }'\n")
	profile("begins", `CapabilityBoundingSet = ""`, "300ms")
	unit("plain", "ExecStart=/bin/sleep infinity\n")
	profile("plain", "NoNewPrivileges = true", "1m")
	unit("other", "StateDirectory=busy/of-other\nExecStart=/bin/sleep infinity\n")
	file("/var/lib/keeps/log", "before\n")
	file("/srv/keeps/old", "old\n")
	return files
}

// restored proves the services on a machine, and compares their data before and after.
func restored(t *testing.T, p *place.Place) {
	t.Helper()
	command(t, p, "mkdir -p /srv/real /srv/shown /srv/linked /var/lib/busy && ln -s /srv/linked /srv/link")
	before := traces(t, p)
	for _, tt := range []struct {
		about, command string
		want           []string
	}{
		{
			"data of several kinds", "temper prove --place host keeps moves nests binds 2>&1; echo status $?",
			[]string{"status 0"},
		},
		{
			"a service whose first start needs what later ones do not",
			"temper prove --place host begins 2>&1; echo status $?",
			[]string{"CAP_CHOWN", "1 demotion", "status 0"},
		},
		{
			"a service whose first start leaves a file until the next boot",
			"temper prove --place host leaves 2>&1; echo status $?; rmdir /run/leaves",
			[]string{"/run/leaves was made while it first ran", "status 0"},
		},
		{
			"two at once, the data of one below that of the other",
			"temper prove --place host within 2>&1 & temper prove --place host keeps 2>&1; a=$?; wait $!; echo " +
				"status $a $?",
			[]string{"status 0 0"},
		},
		{
			"data that another process writes",
			"sleep 100 >/var/lib/busy/log & temper prove --place host busy 2>&1; echo status $?; kill $!; rm " +
				"/var/lib/busy/log",
			[]string{"(sleep) uses it", "status 3"},
		},
		{
			"data that another service may write",
			"systemctl start other; temper prove --place host busy 2>&1; echo status $?; systemctl stop other; " +
				"rmdir /var/lib/busy/of-other",
			[]string{"other.service", "writes to /var/lib/busy too", "status 3"},
		},
		{
			"a directory of many services",
			"temper prove --place host shares 2>&1; echo status $?",
			[]string{"/var/log", "status 3"},
		},
	} {
		out := command(t, p, tt.command)
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in: %s", tt.about, want, out)
			}
		}
	}
	if diff := cmp.Diff(before, traces(t, p)); diff != "" {
		t.Errorf("after the proofs (-want +got):\n%s", diff)
	}
	killed(t, p)
	if out := command(t, p, "temper prove --place host keeps 2>&1; echo status $?"); !strings.Contains(out,
		"status 0") {
		t.Fatal(out)
	}
	command(t, p, "rm -r /var/cache/keeps /var/lib/keeps/sub")
	// The one run is that of the service itself.
	want := strings.Replace(strings.Replace(before, "/srv/keeps/old\nold\n", "", 1), "before\n", "before\nrun\n", 1)
	if diff := cmp.Diff(want, traces(t, p)); diff != "" {
		t.Errorf("after proofs that were killed (-want +got):\n%s", diff)
	}
}

// traces is what a proof could change or leave behind.
func traces(t *testing.T, p *place.Place) string {
	t.Helper()
	return command(
		t,
		p,
		"find /var/lib/keeps /var/cache/keeps /var/lib/moves /var/lib/private /srv /var/lib/busy /run/temper-cover-* "+
			"/run/systemd/system 2>/dev/null "+
			"| sort | while read f; do echo $f; [ ! -f $f ] || cat $f; done; cut -d' ' -f5 /proc/self/mountinfo | "+
			"sort; systemctl list-units --plain --no-legend --all 'temper-trial*'",
	)
}

// killed kills a proof while a trial runs, and proofs in a session and in a service while data is covered.
func killed(t *testing.T, p *place.Place) {
	t.Helper()
	if out := command(t, p, "temper prove --place host plain & "+
		"until [ $(systemctl list-units --no-legend --plain --state=active 'temper-trial-*' | wc -l) = 2 ]; "+
		"do sleep 0.05; done; kill -9 $!; "+
		" systemctl start plain; systemctl is-active plain 'temper-trial-*'"); out != "active\n" {
		t.Errorf("a trial that outlives its proof runs beside the service: %s", out)
	}
	const covered, free = "until mountpoint -q /var/lib/keeps; do sleep 0.01; done; ",
		"while mountpoint -q /var/lib/keeps; do sleep 0.01; done; "
	if out := command(t, p, "systemd-run -q --scope temper prove --place host keeps >/dev/null 2>&1 & "+covered+
		"kill -9 $!; mountpoint /var/lib/keeps; systemctl start keeps; mountpoint /var/lib/keeps; sleep 0.2; "+
		"systemctl stop keeps"); out !=
		"/var/lib/keeps is a mountpoint\n/var/lib/keeps is not a mountpoint\n" {
		t.Errorf("a service that starts after a proof in a session was killed: %s", out)
	}
	if out := command(t, p, "systemd-run -q --unit=prover temper prove --place host keeps; "+covered+
		"systemctl kill -s KILL prover; timeout 5 sh -c '"+free+"echo free'"); out != "free\n" {
		t.Errorf("after a proof in a service was killed: %s", out)
	}
}
