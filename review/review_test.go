package review_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/refusallog"
	"temper/profiles"
	"temper/review"
)

const profile = `description = "a web server"
units = ["web.service"]
extends = ["base/view"]

[service]
DevicePolicy = "closed"
ProtectSystem = "strict"
ReadWritePaths = ["/run/web"]
NoExecPaths = ["/srv"]
MemoryDenyWriteExecute = true
CapabilityBoundingSet = ["CAP_KILL"]
RestrictAddressFamilies = ["AF_UNIX"]
InaccessiblePaths = ["/etc/secret"]
`

const view = `[service]
TemporaryFileSystem = ["/etc:ro /var:ro"]
BindReadOnlyPaths = ["-/etc/passwd"]
`

// machine makes a root with a service and its profile.
func machine(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"/usr/lib/systemd/libsystemd-shared-257.so": "",
		"/usr/lib/systemd/system/web.service":       "[Service]\nExecStart=/usr/sbin/web\n",
		"/usr/lib/temper/profiles.d/web.toml":       profile,
		"/usr/lib/temper/profiles.d/base/view.toml": view,
		"/dev/shm/disk":        "",
		"/etc/a/x":             "",
		"/etc/b/y":             "",
		"/etc/cron.d/job":      "",
		"/etc/shadow":          "",
		"/etc/ssl/private/key": "",
		"/var/lib/own/file":    "",
		"/srv/web/data/file":   "",
		"/srv/theirs/dir/file": "",
		"/etc/web.conf":        "",
		"/run/web/pid":         "",
	} {
		if err := os.MkdirAll(filepath.Dir(root+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"/srv/web/link", "/var/lib/own/link"} {
		if err := os.Symlink("/etc", root+link); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"/srv/theirs", "/var/lib/own", "/dev/shm"} { // the service's own, as it were
		if err := os.Chmod(root+dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func input(t *testing.T, root string) review.Input {
	t.Helper()
	g, problems, err := generator.New(host.At(root), "")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	u, err := g.Units.Load("web.service")
	if err != nil {
		t.Fatal(err)
	}
	p, named := g.Profiles.For(u)
	if p == nil {
		t.Fatal("no profile")
	}
	return review.Input{Generator: g, Unit: u, Profile: p, Named: named}
}

func refused(directive string, kind refusal.Kind, subject string) refusallog.Refusal {
	return refusallog.Refusal{
		Directives: []string{directive}, Restriction: kind, Subject: subject, Program: "web", Call: "openat(): EROFS",
		Count: 14, First: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
	}
}

// accept accepts the exceptions for some refusals, one after the other.
func accept(t *testing.T, in review.Input, list ...refusallog.Refusal) (cases []review.Case, after review.Input) {
	t.Helper()
	for _, r := range list {
		c, err := in.Case(r)
		if err != nil {
			t.Fatal(err)
		}
		cases, in = append(cases, c), in.Allowing(c)
	}
	return cases, in
}

// TestCase: each refusal has the lines that allow it and nothing else, or what is next to that; and none where whoever
// controls the service could make more of it.
func TestCase(t *testing.T) {
	in := input(t, machine(t))
	for _, tc := range []struct {
		name      string
		directive string
		kind      refusal.Kind
		subject   string
		lines     string // "" is none
		exact     bool
		notSo     string // a part of it
	}{
		{
			"a directory", "ProtectSystem", refusal.PathReadOnly, "/srv/web/data/new",
			`ReadWritePaths = ["/run/web", "-/srv/web/data"]`, true, "",
		},
		{
			"a file of many", "ProtectSystem", refusal.PathReadOnly, "/etc/web.conf",
			`ReadWritePaths = ["/run/web", "-/etc/web.conf"]`, true, "",
		},
		{
			"a family", "RestrictAddressFamilies", refusal.Family, "AF_INET",
			`RestrictAddressFamilies = ["AF_INET AF_UNIX"]`, true, "",
		},
		{
			"a capability", "CapabilityBoundingSet", refusal.Capability, "CAP_CHOWN",
			`CapabilityBoundingSet = ["CAP_CHOWN CAP_KILL"]`, true, "",
		},
		{
			"memory", "MemoryDenyWriteExecute", refusal.WriteExecute, "mmap",
			`MemoryDenyWriteExecute = ["no"]`, false, "",
		},
		{"a hidden path", "InaccessiblePaths", refusal.PathHidden, "/etc/secret/x", `InaccessiblePaths = []`, true, ""},
		{
			"what the profile allows", "ProtectSystem", refusal.PathReadOnly, "/run/web/x",
			"", false, "allows it already",
		},
		{
			"what decides about root", "ProtectSystem", refusal.PathReadOnly, "/etc/sudoers.d/web",
			"", false, "decides what root does",
		},
		{
			"what temper reads", "ProtectSystem", refusal.PathReadOnly, "/etc/temper/profiles.d/web.toml",
			"", false, "decides what root does",
		},
		{
			"a program of root", "ProtectSystem", refusal.PathReadOnly, "/usr/bin/ls",
			"", false, "decides what root does",
		},
		{"a link", "ProtectSystem", refusal.PathReadOnly, "/srv/web/link/x", "", false, "is a link"},
		{
			"below what others can exchange", "ProtectSystem", refusal.PathReadOnly, "/srv/theirs/dir/new",
			"", false, "can put a link",
		},
		{
			"a program that others can exchange", "NoExecPaths", refusal.PathNoExec, "/srv/theirs/dir/file",
			"", false, "can put a link",
		},
		{
			"below what cannot be seen", "ProtectSystem", refusal.PathReadOnly,
			"/srv/web/" + strings.Repeat("x", unix.NAME_MAX+1) + "/new", "", false, "cannot be seen",
		},
		{
			"what a directory of many would give", "ProtectSystem", refusal.PathReadOnly, "/etc/new",
			"", false, "all of /etc",
		},
		{
			"a device", "DevicePolicy", refusal.Device, "/dev/kvm",
			`DeviceAllow = ["/dev/kvm rw"]`, true, "",
		},
		{
			"a device that others can exchange", "DevicePolicy", refusal.Device, "/dev/shm/disk",
			"", false, "can put a link",
		},
		{
			"what it does not see", "TemporaryFileSystem", refusal.PathHidden, "/etc/a/x",
			`BindReadOnlyPaths = ["-/etc/a"]`, true, "",
		},
		{
			"what it makes where it sees nothing", "TemporaryFileSystem", refusal.PathAbsent, "/etc/a/new",
			`BindPaths = ["-/etc/a"]`, true, "",
		},
		{
			"its own directory, which it does not see", "TemporaryFileSystem", refusal.PathAbsent, "/var/lib/own/new",
			`BindPaths = ["-/var/lib/own"]`, true, "",
		},
		{
			"a job of root that it makes unseen", "TemporaryFileSystem", refusal.PathAbsent, "/etc/cron.d/x",
			"", false, "decides what root does",
		},
		{
			"the same where it only changes it", "TemporaryFileSystem", refusal.PathReadOnly, "/etc/cron.d/job",
			"", false, "decides what root does",
		},
		{
			"passwords", "TemporaryFileSystem", refusal.PathHidden, "/etc/shadow",
			"", false, "rights of others",
		},
		{
			"what lies above keys", "TemporaryFileSystem", refusal.PathHidden, "/etc/ssl",
			"", false, "rights of others",
		},
		{
			"an unseen link of its own", "TemporaryFileSystem", refusal.PathHidden, "/var/lib/own/link/a",
			"", false, "can put a link",
		},
		{
			"to write by an unseen link of its own", "TemporaryFileSystem", refusal.PathAbsent, "/var/lib/own/link/new",
			"", false, "can put a link",
		},
		{
			"an unseen directory of many", "TemporaryFileSystem", refusal.PathAbsent, "/var/lib/new",
			"", false, "all of /var/lib",
		},
		{
			"all that is unseen", "TemporaryFileSystem", refusal.PathAbsent, "/etc/new",
			"", false, "takes back just that",
		},
		{"an unseen relative path", "TemporaryFileSystem", refusal.PathHidden, "x", "", false, "not known exactly"},
		{"two words", "ProtectSystem", refusal.PathReadOnly, "/srv/web/data /etc", "", false, "characters"},
		{"a specifier", "ProtectSystem", refusal.PathReadOnly, "/srv/%h/x", "", false, "characters"},
		{"what is not there", "ProtectSystem", refusal.PathReadOnly, "/new/x", "", false, "takes back just that"},
		{"a line", "ProtectSystem", refusal.PathReadOnly, "/srv/x\nExecStart=/x", "", false, "characters"},
		{"a way up", "ProtectSystem", refusal.PathReadOnly, "/srv/web/../../etc/x", "", false, "not known exactly"},
		{"a relative path", "ProtectSystem", refusal.PathReadOnly, "x", "", false, "not known exactly"},
		{"what is no longer refused", "PrivateDevices", refusal.Device, "/dev/kvm", "", false, "does not refuse it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := in.Case(refused(tc.directive, tc.kind, tc.subject))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(c.Lines, "\n"); got != tc.lines {
				t.Errorf("lines %q (%s), want %q", got, c.NotSo, tc.lines)
			}
			same := strings.Contains(c.NotSo, tc.notSo) && (c.NotSo == "") == (tc.notSo == "")
			if c.Exact != tc.exact && tc.lines != "" || !same {
				t.Errorf("exact %v, %q; want %v, %q", c.Exact, c.NotSo, tc.exact, tc.notSo)
			}
			if c.After < c.Before {
				t.Errorf("exposure %v -> %v", c.Before, c.After)
			}
		})
	}
}

// TestFile: a new file extends the profile that a package brought; in one that is there, only the lines of the
// exceptions change.
func TestFile(t *testing.T) {
	cases, in := accept(t, input(t, machine(t)),
		refused("ProtectSystem", refusal.PathReadOnly, "/srv/web/data/new"),
		refused("ProtectSystem", refusal.PathReadOnly, "/etc/web.conf"),
		refused("MemoryDenyWriteExecute", refusal.WriteExecute, "mmap"),
		refused("TemporaryFileSystem", refusal.PathHidden, "/etc/a/x"),
		refused("TemporaryFileSystem", refusal.PathHidden, "/etc/b/y"),
	)
	const why = `# 2026-11-30, temper review: "web" was refused 14 times since 2026-11-01 to `
	for _, tc := range []struct{ name, text, want string }{
		{"new", "", `# What web may do on this machine besides.
description = "a web server"
units = ["web.service"]
extends = ["web"]

[service]
` + why + `reach "/etc/a/x".
` + why + `reach "/etc/b/y".
BindReadOnlyPaths = ["-/etc/a", "-/etc/b"]
` + why + `make memory executable by mmap().
MemoryDenyWriteExecute = ["no"]
` + why + `write "/srv/web/data/new".
` + why + `write "/etc/web.conf".
ReadWritePaths = ["/run/web", "-/srv/web/data", "-/etc/web.conf"]
`},
		{
			"there", `extends = ["web"] # mine
units = ["web.service"]
[service]   # what it may
NoExecPaths = [] # none
ReadWritePaths = [ # these
  "/run/web", "/x#y",
] # and no more

[prove]
reload = true`,
			`extends = ["web"] # mine
units = ["web.service"]
[service]   # what it may
` + why + `reach "/etc/a/x".
` + why + `reach "/etc/b/y".
BindReadOnlyPaths = ["-/etc/a", "-/etc/b"]
` + why + `make memory executable by mmap().
MemoryDenyWriteExecute = ["no"]
NoExecPaths = [] # none
` + why + `write "/srv/web/data/new".
` + why + `write "/etc/web.conf".
ReadWritePaths = ["/run/web", "-/srv/web/data", "-/etc/web.conf"]

[prove]
reload = true`,
		},
		{
			"another key", "[[check]]\nname = \"x\"\nexec = { command = [\"/bin/true\"] }",
			"[[check]]\nname = \"x\"\nexec = { command = [\"/bin/true\"] }\n\n[service]\n" +
				why + "reach \"/etc/a/x\".\n" + why + "reach \"/etc/b/y\".\n" +
				"BindReadOnlyPaths = [\"-/etc/a\", \"-/etc/b\"]\n" +
				why + "make memory executable by mmap().\nMemoryDenyWriteExecute = [\"no\"]\n" +
				why + "write \"/srv/web/data/new\".\n" + why + "write \"/etc/web.conf\".\n" +
				"ReadWritePaths = [\"/run/web\", \"-/srv/web/data\", \"-/etc/web.conf\"]\n",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := review.File(in.Profile, tc.text, cases, time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, text := range []string{"[service", "service = { ProtectHome = true }\n", "service.ProtectHome = true\n"} {
		if got, err := review.File(in.Profile, text, cases, time.Now()); err == nil {
			t.Errorf("%q became %q, want an error", text, got)
		}
	}
}

// TestFileLoads: a new file is a profile that allows what was accepted, and all else is as before.
func TestFileLoads(t *testing.T) {
	root := machine(t)
	in := input(t, root)
	cases, accepted := accept(t, in,
		refused("ProtectSystem", refusal.PathReadOnly, "/srv/web/data/new"),
		refused("TemporaryFileSystem", refusal.PathHidden, "/etc/a/x"),
		refused("TemporaryFileSystem", refusal.PathHidden, "/etc/b/y"),
	)
	text, err := review.File(in.Profile, "", cases, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, profiles.SearchPath[0])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/web.toml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got := input(t, root).Profile
	for _, want := range accepted.Profile.Service {
		if set, ok := got.Setting(want.Name); !ok || set.Line() != want.Line() {
			t.Errorf("got %q, want %q", set.Line(), want.Line())
		}
	}
	if got.Description != in.Profile.Description || len(got.Units) != 1 {
		t.Errorf("the profile is about %q, %q", got.Description, got.Units)
	}
}
