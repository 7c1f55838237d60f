package generator_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
)

// TestUnlistedVerdicts: where verdicts can neither be listed nor read, what applied before goes on applying, and an
// instance that a person has revoked gets nothing of its template.
func TestUnlistedVerdicts(t *testing.T) {
	testroot.NeedFor(t, "be another user for a moment")
	for name, record := range map[string]func(root host.Root) error{
		"the record was made after it": generator.MakeBootRecord,
		"the record was made before":   func(host.Root) error { return nil },
	} {
		root := webRoot(t)
		for dir := root; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
			must(t, os.Chmod(dir, 0o755))
		}
		put(t, root, "usr/lib/systemd/system/many@.service", webUnit)
		put(t, root, "usr/lib/temper/profiles.d/many.toml", "units = [\"many@.service\"]\n\n[service]\n"+
			"PrivateTmp = true\n")
		g, _ := loadWeb(t, root)
		u, err := g.Units.Load("many@.service")
		must(t, err)
		p, named := g.Profiles.For(u)
		in := g.Input(u, p, named)
		plan := generator.NewPlan(in)
		v := verdict.Verdict{
			Unit: u.ID, Profile: p.Name, Result: verdict.Proven, Systemd: g.Version, Applied: plan.Applied(),
			Dropin: plan.Text(),
		}
		v.Fingerprint, err = g.Fingerprint(in)
		must(t, err)
		must(t, g.Store.Put(v))
		must(t, generator.MakeBootRecord(g.Root))
		must(t, g.Store.Revoke("many@a.service"))
		must(t, record(g.Root))
		must(t, os.Chmod(root+"/etc/temper/verdicts", 0o711)) // its files are for their owner alone
		var decisions []generator.Decision
		var problems []error
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
			_, err := unix.SetfsuidRetUid(65534)
			if err == nil {
				if g, _, err = generator.New(host.At(root), ""); err == nil {
					decisions, problems = g.Decisions()
				}
			}
			done <- err
		}()
		must(t, <-done)
		got := map[string]string{}
		for _, d := range decisions {
			got[d.Unit] = d.Text
		}
		if !strings.Contains(got["many@.service"], "PrivateTmp=yes") ||
			!strings.Contains(got["web.service"], "PrivateTmp=yes") ||
			!strings.Contains(got["many@a.service"], "nothing from many@.service") {
			t.Errorf("%s: decided %q", name, got)
		}
		told := errors.Join(problems...)
		if told == nil || !strings.Contains(told.Error(), "open /etc/temper/verdicts:") {
			t.Errorf("%s: told %v", name, told)
		}
	}
}

// TestUnreadUnit: where systemd reads a file that temper cannot, what applied before goes on applying byte for byte; if
// nothing did, nothing does. What systemd cannot read either decides nothing.
func TestUnreadUnit(t *testing.T) {
	const proven = "PrivateTmp=yes ProtectSystem=full ReadWritePaths=-/var/lib/web SystemCallFilter=@system-service"
	const dropin = "etc/systemd/system/web.service.d/10-own.conf"
	huge := func(name string) func(string) error {
		return func(root string) error { return os.Truncate(filepath.Join(root, name), host.MaxFile+1) }
	}
	for _, tc := range []struct {
		name, file string
		damage     func(root string) error
		settings   string
		record     bool
		applied    string
		told       bool
	}{
		{"a large drop-in", dropin, huge(dropin), "", true, proven, true},
		{"without a record", dropin, huge(dropin), "unproven = \"enforce\"\n", false, "", true},
		{"the old way", dropin, huge(dropin), "stale = \"drop\"\n", true, "", true},
		{"excluded", dropin, huge(dropin), "exclude = [\"web.service\"]\n", true, "", false},
		{
			"a large slice", "etc/systemd/system/system.slice", huge("etc/systemd/system/system.slice"), "", true,
			proven, true,
		},
		{
			"of its slice", "etc/systemd/system/system.slice.d/a.conf",
			huge("etc/systemd/system/system.slice.d/a.conf"), "", true, proven, true,
		},
		{
			"a large unit", "usr/lib/systemd/system/web.service", huge("usr/lib/systemd/system/web.service"), "", true,
			proven, true,
		},
		{"a directory", dropin + "/x", func(string) error { return nil }, "", true, proven, false},
		{"a link to itself", dropin, func(root string) error {
			name := filepath.Join(root, dropin)
			return errors.Join(os.Remove(name), os.Symlink(filepath.Base(name), name))
		}, "", true, proven, false},
		{"too many drop-ins", dropin, func(root string) error {
			var err error
			for i := range 1001 {
				err = errors.Join(err, os.WriteFile(fmt.Sprintf("%s/%s%d.conf", root, dropin, i), []byte("\n"), 0o644))
			}
			return err
		}, "", true, proven, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			root := webRoot(t)
			if tc.record {
				must(t, generator.MakeBootRecord(host.At(root)))
			}
			if tc.settings != "" {
				put(t, root, "etc/temper/temper.toml", tc.settings)
			}
			if !strings.HasPrefix(tc.file, "usr/") {
				put(t, root, tc.file, "[Service]\nIPAddressDeny=10.0.0.1\n")
			}
			must(t, tc.damage(root))
			out := t.TempDir()
			report := generator.Run(host.At(root), "", out)
			text, _ := os.ReadFile(filepath.Join(out, "web.service.d/50-temper.conf"))
			if assigned(string(text)) != tc.applied || (len(report.Problems) > 0) != tc.told {
				t.Errorf("applied %q, told %v; want %q", text, report.Problems, tc.applied)
			}
		})
	}
}
