package generator_test

import (
	"errors"
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
		put(t, root, "usr/lib/temper/profiles.d/many.toml", "units = [\"many@.service\"]\n\n[service]\nPrivateTmp = true\n")
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
		must(t, os.Chmod(root+"/etc/temper/verdicts", 0o711)) // so that others do not list it; its files are its owner's
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
		if told := errors.Join(problems...); told == nil || !strings.Contains(told.Error(), "open /etc/temper/verdicts:") {
			t.Errorf("%s: told %v", name, told)
		}
	}
}
