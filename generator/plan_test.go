package generator_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// Who decided, and where, is said with file and line.
func TestAdministratorWins(t *testing.T) {
	g, problems, err := generator.New(host.At("testdata/tree/18-administrator"), "")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	u, err := g.Units.Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	d, err := g.Decide(u)
	if err != nil {
		t.Fatal(err)
	}
	want := []verdict.LeftOut{
		{Directive: "ProtectSystem", Reason: `/etc/systemd/system/web.service.d/override.conf:2: the administrator sets "no"`},
		{Directive: "ReadWritePaths", Reason: `/run/systemd/system/web.service.d/10-x.conf:2: the administrator sets "/srv"`},
		{Directive: "NoNewPrivileges", Reason: `/usr/lib/systemd/system/web.service.d/90-late.conf:2: is read after temper's drop-in and would undo it`},
	}
	if diff := cmp.Diff(want, d.Plan.LeftOut); diff != "" {
		t.Error(diff)
	}
	if d.Text != "" {
		t.Errorf("writes %s", d.Text)
	}
}

// TestView: what a service sees is decided as a whole. Where the administrator shows it something, temper hides nothing
// else from it; and what does not go together in one plan becomes what does.
func TestView(t *testing.T) {
	set, problems := profiles.Load(host.At(t.TempDir()), []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	profile, err := profiles.ParseText("web", `units = ["web.service"]
extends = ["base/strict", "base/view"]
[service]
TemporaryFileSystem = ["/:ro"]
BindReadOnlyPaths   = ["/etc/web /var/lib/web"]
BindPaths           = ["/var/lib/web"]
`, set)
	if err != nil {
		t.Fatal(err)
	}
	lines := func(assignments ...unit.Assignment) map[string]string {
		all := map[string]string{}
		u := &unit.Unit{
			Name: "web.service", ID: "web.service", Fragment: "/usr/lib/systemd/system/web.service",
			Assignments: assignments,
		}
		for _, a := range assignments {
			if strings.HasSuffix(a.Pos.Path, "/"+u.Name) {
				u.Fragment = a.Pos.Path
			}
		}
		plan := generator.NewPlan(generator.Input{Unit: u, Profile: profile, Named: true, Version: 257})
		for _, a := range plan.Applied() {
			all[a.Directive] = strings.TrimSpace(all[a.Directive] + " " + a.Value)
		}
		for _, l := range plan.LeftOut {
			all[l.Directive] = "left out: " + l.Reason
		}
		return all
	}
	plain := lines()
	for name, want := range map[string]string{
		"TemporaryFileSystem": "/boot:ro /etc:ro /home:ro /mnt:ro /opt:ro /root:ro /run:ro /srv:ro /var:ro",
		"BindPaths":           "-/var/lib/web",
	} {
		if plain[name] != want {
			t.Errorf("%s=%q, want %q", name, plain[name], want)
		}
	}
	readOnly := strings.Fields(plain["BindReadOnlyPaths"])
	for file, want := range map[string]bool{"-/etc/web": true, "-/etc/passwd": true, "-/var/lib/web": false} {
		if slices.Contains(readOnly, file) != want {
			t.Errorf("BindReadOnlyPaths= has %s: %v in %q", file, !want, readOnly)
		}
	}
	const override, vendor = "/etc/systemd/system/web.service.d/override.conf", "/usr/lib/systemd/system/web.service"
	const local = "/etc/systemd/system/web.service" // its profile was written for it as it is
	covered := func(file string, settings ...string) string {
		var all []unit.Assignment
		for _, s := range settings {
			name, value, _ := strings.Cut(s, "=")
			all = append(all, unit.Assignment{Section: "Service", Name: name, Value: value})
			all[len(all)-1].Pos.Path = file
		}
		return lines(all...)["TemporaryFileSystem"]
	}
	for _, tc := range []struct {
		file, setting string
		more          []string
		open          string // what is no longer covered
	}{
		{file: override, setting: "ReadWritePaths=/srv/cache", open: "/srv"},
		{file: override, setting: "ReadWritePaths=-/srv/cache", open: "/srv"},
		{file: override, setting: "ReadOnlyPaths=/srv", open: "/srv"},
		{file: override, setting: "ReadWritePaths=/srv/cache", more: []string{"ReadWritePaths="}},
		{file: override, setting: "InaccessiblePaths=/srv/cache", open: "/srv"},
		{file: override, setting: "InaccessiblePaths=-/srv/cache"},
		{file: override, setting: "ExecPaths=/opt/x/%i", open: "/opt"},
		{file: override, setting: "WorkingDirectory=-/home/web", open: "/home"},
		{file: override, setting: "ExecStartPre=-/bin/sh -c 'exec /opt/x --at=/var/lib/web/x http://srv/x'", open: "/opt"},
		{file: override, setting: "ReadWritePaths=/var/lib/web/x /etc/web /tmp /usr/x"},
		{
			file: override, setting: "ReadWritePaths=/run/x /var/cache/y",
			more: []string{"RuntimeDirectory=x", "CacheDirectory=z:y"},
		},
		{file: vendor, setting: "ReadWritePaths=/srv/cache", open: "/srv"},
		{file: vendor, setting: "ReadWritePaths=-/srv/cache"},
		{file: vendor, setting: "WorkingDirectory=/srv/cache"},
		{file: local, setting: "ReadWritePaths=/srv/cache", open: "/srv"},
		{file: local, setting: "ExecStart=/bin/cat /opt/x"},
	} {
		want := strings.Join(slices.DeleteFunc(strings.Fields(plain["TemporaryFileSystem"]), func(w string) bool {
			return w == tc.open+":ro"
		}), " ")
		got := covered(tc.file, append([]string{tc.setting}, tc.more...)...)
		if got != want {
			t.Errorf("beside %s %q in %s: %q, want %q", tc.setting, tc.more, tc.file, got, want)
		}
	}
	showing := unit.Assignment{Section: "Service", Name: "BindReadOnlyPaths", Value: "/etc/web"}
	showing.Pos.Path = vendor
	nothing := unit.Assignment{Section: "Service", Name: "BindPaths"}
	nothing.Pos.Path = vendor
	shows := func(all ...unit.Assignment) bool {
		return slices.Contains(strings.Fields(lines(all...)["BindReadOnlyPaths"]), "-/etc/web")
	}
	if shows(showing) || !shows(showing, nothing) {
		t.Error("an empty BindPaths= resets BindReadOnlyPaths= too")
	}
	bind := unit.Assignment{Section: "Service", Name: "BindPaths", Value: "/srv/web"}
	bind.Pos.Path = override
	if got := lines(bind)["TemporaryFileSystem"]; !strings.HasPrefix(got, "left out: BindPaths=, which it needs") {
		t.Errorf("beside the administrator's BindPaths=: %q", got)
	}
	bind.Pos.Path = vendor
	vendors := lines(bind)
	if strings.HasPrefix(vendors["TemporaryFileSystem"], "left out") || vendors["BindPaths"] != "-/var/lib/web" {
		t.Errorf("beside the vendor's BindPaths=: %q", vendors)
	}
}
