package profiles_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"temper/internal/host"
	"temper/profiles"
	"temper/profiles/lint"
)

// shipped loads the library as a machine without installed profiles does.
func shipped(t *testing.T) *profiles.Set {
	t.Helper()
	set, errs := profiles.Load(host.At(t.TempDir()), append(slices.Clone(profiles.SearchPath), profiles.Builtin))
	for _, err := range errs {
		t.Error(err)
	}
	return set
}

// TestLibrary holds what every profile that we ship promises.
func TestLibrary(t *testing.T) {
	set := shipped(t)
	for _, p := range set.All() {
		t.Run(p.Name, func(t *testing.T) {
			for _, f := range lint.Profile(p, set) {
				t.Error(f)
			}
			data, err := fs.ReadFile(profiles.Library(), p.Name+".toml")
			if err != nil || !strings.HasPrefix(string(data), "# ") {
				t.Errorf("does not begin with a comment for people: %v", err)
			}
			isBase := strings.HasPrefix(p.Name, "base/")
			if isBase != (len(p.Units) == 0) || isBase != (len(p.Checks) == 0) {
				t.Errorf("units %q, checks %v", p.Units, p.Checks)
			}
			for _, part := range []string{"forbids", "not for"} {
				if isBase && !strings.Contains(string(data), part) {
					t.Errorf("does not say what it %s", part)
				}
			}
		})
	}
	for _, name := range []string{
		"base/baseline", "base/daemon", "base/network-daemon", "base/strict", "nginx",
		"redis-server", "cron", "ssh",
	} {
		if _, ok := set.Get(name); !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

// What cron and sshd are forbidden, everything that they start is. A mount namespace hides the mounts of an
// administrator from the machine, and the others break sudo, mail, package upgrades, containers and run-time
// compilers.
func TestSessionsStayOpen(t *testing.T) {
	set := shipped(t)
	for _, name := range []string{"cron", "ssh"} {
		p, _ := set.Get(name)
		for _, s := range p.Service {
			switch s.Name {
			case "RestrictRealtime", "LockPersonality", "SystemCallErrorNumber", "SystemCallFilter",
				"RestrictAddressFamilies":
			default:
				t.Errorf("%v: %s= reaches into jobs and sessions: add it to this list if none can miss what it takes",
					s.Pos, s.Name)
			}
		}
	}
}

// TestBuiltin: what is compiled in is used last, and an administrator can change or mask it.
func TestBuiltin(t *testing.T) {
	root := t.TempDir()
	write(t, root+"/etc/temper/profiles.d/nginx.toml",
		"extends = ['nginx']\nunits = ['nginx.service']\n[service]\nPrivateTmp = false")
	write(t, root+"/etc/temper/profiles.d/cron.toml", "-> /dev/null")
	set, errs := profiles.Load(host.At(root), append(slices.Clone(profiles.SearchPath), profiles.Builtin))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	p, ok := set.Get("nginx")
	if !ok {
		t.Fatal("no nginx")
	}
	s, _ := p.Setting("PrivateTmp")
	home, _ := p.Setting("ProtectHome")
	if s.Values[0] != "no" || home.Values[0] != "read-only" || home.Pos.Path != "builtin:nginx.toml" ||
		p.Path != "/etc/temper/profiles.d/nginx.toml" {
		t.Errorf("%+v, %+v, %s", s, home, p.Path)
	}
	if _, ok := set.Get("cron"); ok {
		t.Error("cron is masked and loaded")
	}
	if set, _ := profiles.Load(host.At(root), nil); len(set.All()) > 0 {
		t.Errorf("without Builtin: %v", set.All())
	}
}
