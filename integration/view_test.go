package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"temper/generator"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/profiles"
)

// viewed is a service that lists the files that it can read, write and execute, but for those that the kernel makes.
// Beside it are the configuration, data and keys of others, which anyone may read.
const viewed = `[Service]
Type=oneshot
ExecStart=/usr/bin/find / ( -path /proc -o -path /sys -o -path /dev ) -prune -o ( -type l -o -type s ) -printf "other %%p\n" ` +
	`-o -links +0 -type f ( -readable -printf "read %%p\n" , -writable -printf "write %%p\n" , ` +
	`-executable -printf "execute %%p\n" )
StandardOutput=truncate:/var/log/viewed
StandardError=null
`

// others make what the service never touches, and files of its own.
const others = `mkdir -p /etc/own /etc/other /srv/other /var/lib/own /var/lib/other /home/other /run/other /opt/other
for f in /etc/other/key /srv/other/page /var/lib/other/data /home/other/mail /run/other/token /opt/other/config \
	/root/notes /etc/own/config /var/lib/own/data; do echo secret >$f; chmod 666 $f; done
chmod 777 /root /var/lib/own
`

// TestSystemdView counts the files that a service can read, write and execute before it sees only what it needs and
// after that. Of others there are none left but the program text in /usr, and of the programs only those that the
// profile shows.
func TestSystemdView(t *testing.T) {
	t.Parallel()
	profile, err := profiles.ParseText("viewed", `units = ["viewed.service"]
extends = ["base/network-daemon", "base/strict", "base/view"]
[service]
TemporaryFileSystem = ["/etc:ro /home:ro /opt:ro /root:ro /run:ro /srv:ro /var:ro /usr/bin:ro /usr/sbin:ro"]
BindReadOnlyPaths   = ["/etc/own", "/usr/bin/find", "/etc/none"]
BindPaths           = ["/var/lib/own"]
`, library(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range []string{"bookworm", "trixie", "sid"} {
		t.Run(tree, func(t *testing.T) {
			t.Parallel()
			p := boot(t, testroot.Path(t, tree), []place.File{{Name: units + "/viewed.service", Data: []byte(viewed)}})
			command(t, p, others)
			u, err := (&unit.Loader{Root: p.Root(), Version: testroot.Versions[tree]}).Load("viewed.service")
			if err != nil {
				t.Fatal(err)
			}
			plan := generator.NewPlan(generator.Input{
				Unit: u, Profile: profile, Named: true, Version: testroot.Versions[tree],
			})
			before := seenFiles(t, p, "")
			after := seenFiles(t, p, plan.Text())
			for what := range after { // find takes what is mounted over a file for one, also a socket
				after[what] = slices.DeleteFunc(after[what], func(f string) bool {
					return slices.Contains(before["other"], f)
				})
			}
			for what, list := range after {
				for _, file := range list {
					if !slices.Contains(before[what], file) {
						t.Errorf("it can %s %s, and could not before", what, file)
					}
				}
			}
			for _, own := range []string{"read /etc/own/config", "read /var/lib/own/data", "write /var/lib/own/data"} {
				what, file, _ := strings.Cut(own, " ")
				if !slices.Contains(before[what], file) || !slices.Contains(after[what], file) {
					t.Errorf("it cannot %s %s", what, file)
				}
			}
			for _, file := range outsideOf(after["read"], "/usr/", "/etc/own/", "/var/lib/own/") {
				isOthers := strings.Contains(file, "other") || strings.Contains(file, "shadow")
				if !strings.HasPrefix(file, "/etc/") || isOthers {
					t.Errorf("it sees %s", file)
				}
			}
			for _, file := range outsideOf(after["execute"], "/usr/lib", "/usr/share", "/usr/bin/find") {
				if strings.HasPrefix(file, "/usr/") {
					t.Errorf("it sees the program %s", file)
				}
			}
			report := fmt.Sprintf("reads %d files before, %d after; beside /usr %d, %d; executes %d, %d; writes %d, %d",
				len(before["read"]), len(after["read"]), len(outsideOf(before["read"], "/usr/")),
				len(outsideOf(after["read"], "/usr/")), len(before["execute"]), len(after["execute"]),
				len(before["write"]), len(after["write"]))
			t.Log(report)
			if len(outsideOf(before["read"], "/usr/")) < 4*len(outsideOf(after["read"], "/usr/")) {
				t.Error("it still sees much: " + report)
			}
			if len(after["write"]) != 1 {
				t.Errorf("it can write %q", after["write"])
			}
		})
	}
}

func library(t *testing.T) *profiles.Set {
	t.Helper()
	set, problems := profiles.Load(host.At(t.TempDir()), []string{profiles.Builtin})
	for _, p := range problems {
		t.Fatal(p)
	}
	return set
}

// seenFiles starts the service under a drop-in and returns the files that it can read, write and execute.
func seenFiles(t *testing.T, p *place.Place, dropin string) map[string][]string {
	t.Helper()
	const dir = "/run/systemd/system/viewed.service.d"
	out := command(t, p, fmt.Sprintf("mkdir -p %s; cat >%s/%s <<'END'\n%sEND\nsystemctl daemon-reload; "+
		"systemctl start viewed.service 2>/dev/null; cat /var/log/viewed", dir, dir,
		generator.Dropin, dropin))
	seen := map[string][]string{}
	for line := range strings.Lines(out) {
		what, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		if slices.Contains([]string{"other", "read", "write", "execute"}, what) {
			seen[what] = append(seen[what], file)
		}
	}
	if len(seen["read"]) < 100 {
		t.Fatalf("it did not run under %s\n%.2000s", dropin, out)
	}
	return seen
}

// outsideOf leaves out the files below some directories.
func outsideOf(files []string, dirs ...string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(f string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(f, d) })
	})
}
