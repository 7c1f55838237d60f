package integration_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// TestSystemdShipped boots a Debian with the profiles and the verdicts that packages bring, and nothing proven there:
// each service gets exactly what was proven. Where the program is another, the verdict is stale and the unit is left as
// it was.
func TestSystemdShipped(t *testing.T) {
	t.Parallel()
	tree := testroot.Path(t, "common-trixie")
	dir, err := filepath.Abs("../profiles/verdicts")
	if err != nil {
		t.Fatal(err)
	}
	shipped := verdict.Store{Dirs: []string{dir}}
	all, err := shipped.Units()
	if err != nil {
		t.Fatal(err)
	}
	var units []string
	for _, name := range all {
		if _, err := os.Stat(tree + "/usr/lib/systemd/system/" + name); err == nil {
			units = append(units, name)
		}
	}
	if len(units) == 0 {
		t.Fatalf("no verdict on any service of it")
	}
	p, err := place.Container(t.Context(),
		place.Options{
			Trusted: true, Image: tree, Files: append(programs(t), packaged(t, units)...),
			Unit: "basic.target",
		})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	defer p.Close()
	command(t, p, "rm -rf /etc/temper/verdicts; systemctl daemon-reload") // of whoever proved something in the tree
	const dropin = "/run/systemd/generator/$u.d/50-temper.conf"
	got := func(name string) string { return command(t, p, "u="+name+"; cat "+dropin+" 2>/dev/null || true") }
	var fresh []*unit.Unit
	for _, name := range units {
		v, err := shipped.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		u, err := (&unit.Loader{Root: host.At(tree), Version: v.Systemd}).Load(name)
		if err != nil {
			t.Fatal(err)
		}
		now, err := verdict.Take(host.At(tree), u, v.Fingerprint.Profile, v.Systemd)
		if err != nil {
			t.Fatal(err)
		}
		want := v.Dropin
		// the tree can have a newer package than the one that was proven
		if why := v.Fingerprint.Differs(now); why != "" {
			t.Logf("%s: %s", name, why)
			want = ""
		} else {
			fresh = append(fresh, u)
		}
		if text := got(name); text != want {
			t.Errorf("%s got %q, want %q", name, text, want)
		}
	}
	if len(fresh) == 0 {
		t.Fatalf("no verdict on any of %q applies: record again with testdata/library/prove -record trixie", units)
	}
	command(t, p, "touch "+verdict.Executable(fresh[0])+"; systemctl daemon-reload")
	if text := got(fresh[0].ID); text != "" {
		t.Errorf("another program than the one that was proven got %q", text)
	}
}

// packaged are the profiles of the library, and the verdicts on units, where packages put them.
func packaged(t *testing.T, units []string) []place.File {
	t.Helper()
	var files []place.File
	add := func(name string, data []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, place.File{Name: name, Data: data})
	}
	err := fs.WalkDir(profiles.Library(), ".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			data, err := fs.ReadFile(profiles.Library(), file)
			add("/usr/lib/temper/profiles.d/"+file, data, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range units {
		data, err := os.ReadFile("../profiles/verdicts/" + name + ".json")
		add("/usr/lib/temper/verdicts/"+name+".json", data, err)
	}
	return files
}
