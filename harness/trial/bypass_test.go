package trial_test

import (
	"fmt"
	"slices"
	"testing"

	"temper/generator"
	"temper/harness/confine"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/testroot"
)

// An attempt is a service that tries to get round a directive.
type attempt struct {
	directive, value string
	settings         string // the rest of the unit
	try              string // a command that succeeds only for who has got round it
	around           bool   // it does
}

const openUsr = "mount -o remount,bind,rw /usr && test -w /usr"

var tried = []attempt{
	{"ProtectProc", "invisible", "", "test -e /proc/1", true},
	{"ProtectProc", "invisible", "CapabilityBoundingSet=CAP_CHOWN", "test -e /proc/1", true},
	{"ProtectProc", "noaccess", "User=nobody\nSupplementaryGroups=root", "cat /proc/1/status", true},
	{"ProtectProc", "invisible", "User=nobody", "test -e /proc/1", false},
	{"ProtectProc", "invisible", "Group=daemon\nCapabilityBoundingSet=CAP_CHOWN", "test -e /proc/1", false},
	{"ProtectProc", "ptraceable", "CapabilityBoundingSet=CAP_CHOWN", "test -e /proc/1", false},
	{"ProtectProc", "ptraceable", "User=nobody\nAmbientCapabilities=CAP_SYS_PTRACE", "test -e /proc/1", true},
	{
		"ProtectProc", "ptraceable", "CapabilityBoundingSet=CAP_SYS_ADMIN",
		"mount -o remount,hidepid=0 /proc && test -e /proc/1", true,
	},
	{"ProtectSystem", "yes", "", openUsr, true},
	{"ProtectSystem", "yes", "SystemCallFilter=~@mount", openUsr, false},
	{"ProtectSystem", "yes", "SystemCallFilter=@system-service", openUsr, false},
	{
		"ProtectSystem", "yes", "SystemCallFilter=@system-service\nSystemCallFilter=open_tree mount_setattr",
		openUsr, true,
	},
	{
		"ProtectSystem", "yes", "CapabilityBoundingSet=~CAP_SYS_ADMIN",
		openUsr, false,
	},
	{"ProtectSystem", "yes", "PrivateUsers=yes", openUsr, false},
	{"ReadOnlyPaths", "/srv", "", "mount -o remount,bind,rw /srv && test -w /srv", true},
	{"InaccessiblePaths", "/srv/closed", "", "umount /srv/closed && test -e /srv/closed/file", true},
	{"InaccessiblePaths", "/srv/closed", "User=nobody", "umount /srv/closed && test -e /srv/closed/file", false},
	{"TemporaryFileSystem", "/srv/closed", "", "umount /srv/closed && test -e /srv/closed/file", true},
	{"NoExecPaths", "/srv", "", "mount -o remount,bind,exec /srv && /srv/closed/file", true},
	{"ProtectHome", "yes", "", "umount /home && test -e /home/file", true},
	{"PrivateTmp", "yes", "", "umount /tmp && test -e /tmp/file", true},
	{"ProcSubset", "pid", "", "mount -t proc proc /proc && test -e /proc/meminfo", true},
	{
		"ProtectControlGroups", "yes", "",
		"mount -o remount,bind,rw /sys/fs/cgroup && test -w /sys/fs/cgroup/cgroup.procs", true,
	},
	{
		"ProtectKernelTunables", "yes", "",
		"mount -o remount,bind,rw /proc/sys && test -w /proc/sys/kernel/hostname", true,
	},
}

// TestSystemdBypass: a directive that is in force and does not bind a service is told from one that binds it, for each
// way around a directive that the table knows.
func TestSystemdBypass(t *testing.T) {
	executable := []byte("#!/bin/sh\n")
	files := []place.File{
		{Name: "/srv/closed/file", Data: executable, Mode: 0o755}, {Name: "/home/file", Data: executable},
	}
	name := func(i int) string { return fmt.Sprintf("try-%d.service", i) }
	for i, m := range tried {
		files = append(files, place.File{Name: "/etc/systemd/system/" + name(i), Data: fmt.Appendf(nil,
			"[Service]\nType=exec\nExecStartPre=/bin/sh -c '(%s) && touch /run/around/%d; true'\n"+
				"ExecStart=/bin/sleep 1000\n%s=%s\n%s\n", m.try, i, m.directive, m.value, m.settings)})
	}
	where, err := place.Container(t.Context(), place.Options{
		Image: testroot.Path(t, "trixie"), Files: files, Trusted: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer where.Close()
	run := func(script string) place.Result {
		r, err := where.Run(t.Context(), place.Command{Args: []string{"/bin/sh", "-c", script}})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	run("mkdir -m 1777 /run/around; touch /tmp/file")
	for i, m := range tried {
		row := fmt.Sprintf("%s=%s with %q", m.directive, m.value, m.settings)
		run("systemctl start " + name(i))
		s, err := where.Manager().LoadedService(t.Context(), name(i))
		if err != nil {
			t.Fatal(err)
		}
		d, _ := directive.Lookup(m.directive)
		plan := generator.Plan{Items: []generator.Item{{Directive: d, Lines: []string{m.value}}}}
		c, err := confine.Read(trial.Subject(where, s), plan)
		if err != nil || !slices.Contains(c.Holds, m.directive) && c.Partly[m.directive] == "" {
			t.Errorf("%s: %v, it is not in force: %v", row, err, c.NoEffect)
		}
		if got := c.Bypassed[m.directive]; (got != "") != m.around {
			t.Errorf("%s: does not bind the service, since %q", row, got)
		}
		if r := run(fmt.Sprintf("test -e /run/around/%d && echo yes", i)); (r.Stdout != "") != m.around {
			t.Errorf("%s: %q succeeds: %t", row, m.try, !m.around)
		}
	}
	for _, d := range directive.All() {
		isRound := func(a attempt) bool { return a.directive == d.Name && a.around }
		if len(d.Bypasses) > 0 && !slices.ContainsFunc(tried, isRound) {
			t.Errorf("nothing here gets round %s=", d.Name)
		}
	}
}
