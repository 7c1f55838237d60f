package integration_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// snapshot is a shell script that describes a machine: every file of every file system but the store of verdicts,
// mounts, units, control groups, namespaces, and the processes of services that run. Its own are not among them, nor
// the times of /run and /tmp, in which files come and go.
const snapshot = `
find / /srv /var -xdev '(' -path /etc/temper -o -path /var/lib/temper -o -path '/run/*' -o -path '/proc/*' \
	-o -path '/sys/*' ')' -prune -o -printf '%p %i %s %m %U %G %T@ %C@\n' |
	grep -v -e '^/run ' -e '^/tmp ' | sort -u
cut -d' ' -f4- /proc/self/mountinfo | grep -v temper-run | sort
systemctl list-units --all --plain --no-legend --full | grep -v temper-run
find /sys/fs/cgroup -type d | grep -v temper-run | sort
lsns -n -o NS,TYPE | sort
systemctl show -p Id -p MainPID -p InvocationID -p NRestarts nginx cron`

// TestSystemdProveLeavesNoTrace proves services on a machine on which they run, with file systems of its own for /srv
// and /var: nothing of it changes, and the services go on.
func TestSystemdProveLeavesNoTrace(t *testing.T) {
	t.Parallel()
	files := programs(t)
	file := func(name, text string) { files = append(files, place.File{Name: name, Data: []byte(text)}) }
	for _, name := range []string{"srv", "var"} {
		file("/etc/systemd/system/"+name+".mount", "[Mount]\nWhere=/"+name+"\nWhat=tmpfs\nType=tmpfs\n")
	}
	file(
		"/etc/systemd/system/srv-fill.service",
		"[Unit]\nRequiresMountsFor=/srv /var\nDefaultDependencies=no\nBefore=nginx.service\n"+
			"[Service]\nType=oneshot\nExecStart=sh -c 'echo kept >/srv/kept; mkdir -p /var/log/nginx /var/lib/nginx "+
			"/var/spool/cron/crontabs /var/tmp /var/www/html; echo Welcome to nginx! >/var/www/html/index.html'\n",
	)
	file("/etc/systemd/system/nginx.service.d/fill.conf", "[Unit]\nRequires=srv-fill.service\nAfter=srv-fill.service\n")
	file("/etc/systemd/system/quiet.service", "[Service]\nExecStart=/bin/sleep infinity\n")
	file(
		"/etc/temper/profiles.d/quiet.toml",
		"units = [\"quiet.service\"]\napply = [\"started\"]\n\n"+
			"[service]\nLockPersonality = true\n\n[prove]\nsettle = \"300ms\"\n",
	)
	p, err := place.Container(
		t.Context(),
		place.Options{
			Trusted: true,
			Image:   testroot.Path(t, "packages-trixie"),
			Files:   files,
			Unit:    "multi-user.target",
		},
	)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	prove := func() {
		if out := command(t, p, "temper prove nginx cron 2>&1; echo status $?"); !strings.Contains(out, "status 0") ||
			!strings.Contains(out, "cron.service: proven") {
			t.Fatal(out)
		}
	}
	prove() // makes the store
	before := command(t, p, snapshot)
	if !strings.Contains(before, "/srv/kept ") || !strings.Contains(before, "nginx.service") ||
		strings.Contains(before, "MainPID=0") {
		t.Fatal(before)
	}
	prove()
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(command(t, p, snapshot), "\n")); diff != "" {
		t.Errorf("the machine has changed (-want +got):\n%s", diff)
	}
	provesOneAtATime(t, p)
}

// provesOneAtATime proves a unit three times at once, twice on the host: each waits for the others.
func provesOneAtATime(t *testing.T, p *place.Place) {
	t.Helper()
	out := command(
		t,
		p,
		"for where in host host 'container --trusted'; do { temper prove --place $where quiet 2>&1; echo status $?; "+
			"} & done; wait",
	)
	if strings.Count(out, "status 0") != 3 || strings.Count(out, "waits for another proof of it") != 2 {
		t.Error(out)
	}
}
