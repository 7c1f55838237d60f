package generator_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

// seeds adds every file of the trees whose name ends in suffix.
func seeds(f *testing.F, suffix string) {
	f.Helper()
	files, err := filepath.Glob("testdata/tree/*/*/*/*/*" + suffix)
	if err != nil {
		f.Fatal(err)
	}
	more, _ := filepath.Glob("testdata/tree/*/*/*/*/*/*" + suffix)
	for _, file := range append(files, more...) {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(string(data))
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	for _, s := range []string{
		"", "quiet temper=0", "temper.skip=a.service,b*", "temper=1 temper.skip=",
		"temper.skip=[", "\x00temper=off\x00",
	} {
		f.Add(s)
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, line string) {
		s, err := generator.ReadSwitches(host.At(root), line)
		if err != nil {
			t.Fatal(err)
		}
		if s.Off != "" && !strings.Contains(line, "temper=") {
			t.Errorf("%q turns everything off: %s", line, s.Off)
		}
	})
}

// FuzzUnit merges a whole profile into any unit: no panic, no line that is not one of the drop-in's own, and systemd's
// reader finds nothing wrong with it.
func FuzzUnit(f *testing.F) {
	seeds(f, ".service")
	set, _ := profiles.Load(host.At(f.TempDir()), []string{profiles.Builtin})
	strict, ok := set.Get("base/strict")
	if !ok {
		f.Fatal("no base/strict")
	}
	root := f.TempDir()
	file := filepath.Join(root, "usr/lib/systemd/system/x.service")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		u, err := (&unit.Loader{Root: host.At(root), Version: 257}).Load("x.service")
		if err != nil {
			return
		}
		plan := generator.NewPlan(generator.Input{Unit: u, Profile: strict, Named: true, Version: 257})
		if plan.Text() == "" {
			return
		}
		hardened, err := u.With(generator.Dropin, plan.Text())
		if err != nil {
			t.Fatalf("%v\n%s", err, plan.Text())
		}
		if added := len(hardened.Assignments) - len(u.Assignments); added != len(plan.Applied()) ||
			len(hardened.Problems) != len(u.Problems) {
			t.Errorf(
				"%d assignments became %d, problems %v\n%s",
				len(plan.Applied()),
				added,
				hardened.Problems,
				plan.Text(),
			)
		}
	})
}

// FuzzVerdict puts anything in the place of a verdict and of what lies ready: a run reports it or uses it, and a unit
// gets nothing but a drop-in of its own name.
func FuzzVerdict(f *testing.F) {
	seeds(f, ".json")
	f.Add("temper ready 1\x00\x00")
	root := f.TempDir()
	for name, text := range map[string]string{
		"usr/lib/systemd/libsystemd-shared-257.so": "",
		"usr/lib/systemd/system/web.service":       "[Service]\nExecStart=/x\n",
		"etc/temper/profiles.d/web.toml":           "units = [\"web.service\"]\n\n[service]\nPrivateTmp = true\n",
		"etc/temper/verdicts/x":                    "",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(root, "etc/temper/verdicts/web.service.json"), []byte(text),
			0o644); err != nil {
			t.Fatal(err)
		}
		out := t.TempDir()
		generator.Run(host.At(root), "", out)
		files, _ := filepath.Glob(filepath.Join(out, "*/*"))
		for _, file := range files {
			if rel, _ := filepath.Rel(out, file); rel != "web.service.d/50-temper.conf" {
				t.Errorf("wrote %s", rel)
			}
		}
	})
}
