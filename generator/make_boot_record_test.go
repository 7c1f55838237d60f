package generator_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/verdict"
)

// proven makes a root with services a to d that this machine has proven, with d broken, and lays them ready.
func provenRoot(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	put(t, root, "usr/lib/systemd/libsystemd-shared-257.so", "")
	for _, name := range []string{"a", "b", "c", "d", "alone"} {
		put(t, root, "usr/lib/systemd/system/"+name+".service", "[Service]\nExecStart=/usr/sbin/daemon\n")
	}
	put(
		t,
		root,
		"etc/temper/profiles.d/all.toml",
		"units = [\"?.service\"]\n\n[service]\nProtectSystem = true\nNoNewPrivileges = true\n",
	)
	put(t, root, "usr/lib/temper/profiles.d/base/x.toml", "[service]\nPrivateTmp = true\n")
	g, problems, err := generator.New(host.At(root), "")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	decisions, _ := g.Decisions()
	for _, d := range decisions {
		u, err := g.Units.Load(d.Unit)
		if err != nil {
			t.Fatal(err)
		}
		v := verdict.Verdict{
			Unit:    d.Unit,
			Profile: d.Profile.Name,
			Result:  verdict.Proven,
			Systemd: g.Version,
			Dropin:  d.Plan.Text(),
			Applied: d.Plan.Applied(),
		}
		if d.Unit == "d.service" {
			v.Result, v.Dropin = verdict.BrokenBaseline, ""
		}
		if v.Fingerprint, err = g.Fingerprint(g.Input(u, d.Profile, d.Named)); err != nil {
			t.Fatal(err)
		}
		if err := g.Store.Put(v); err != nil {
			t.Fatal(err)
		}
	}
	if err := generator.MakeBootRecord(g.Root); err != nil {
		t.Fatal(err)
	}
	return root
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What lies ready must never change what is written: whatever happens to the machine after it was laid, a boot with it
// and one without it give the same bytes.
func TestReadyIsTheSame(t *testing.T) {
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			if err := os.Remove(filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	add := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, root string) { put(t, root, name, text) }
	}
	link := func(target, name string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			put(t, root, name, "")
			remove(name)(t, root)
			if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const dir, store, units = "etc/temper/profiles.d/", "etc/temper/verdicts/", "usr/lib/systemd/system/"
	const denied = "[Slice]\nIPAddressDeny=10.0.0.0/8\n"
	changes := []struct {
		name    string
		change  func(*testing.T, string)
		written int
	}{
		{"nothing", func(*testing.T, string) {}, 3},
		{"a profile changes", add(dir+"all.toml", "units = [\"?.service\"]\n\n[service]\nProtectSystem = true\n"), 3},
		{
			"another profile names a unit",
			add(dir+"a.toml", "units = [\"a.service\"]\n\n[service]\nPrivateTmp = true\n"),
			2,
		},
		{
			"a profile of others gets a secret",
			add(dir+"a.toml", "units = [\"alone.service\"]\nsecrets = [\"/etc/x\"]\n\n[service]\nPrivateTmp = true\n"),
			3,
		},
		{"a base changes", add("usr/lib/temper/profiles.d/base/x.toml", "[service]\nPrivateTmp = false\n"), 3},
		{"a profile goes", remove(dir + "all.toml"), 0},
		{"a profile is masked", link("/dev/null", dir+"all.toml"), 0},
		{"a profile becomes anybody's", func(t *testing.T, root string) {
			if err := os.Chmod(filepath.Join(root, dir+"all.toml"), 0o666); err != nil {
				t.Fatal(err)
			}
		}, 3},
		{"a unit changes", add(units+"a.service", "[Service]\nExecStart=/usr/sbin/daemon -x\n"), 3},
		{"a unit gets a drop-in", add("etc/systemd/system/a.service.d/x.conf", "[Service]\nNice=1\n"), 3},
		{"a unit goes", remove(units + "a.service"), 2},
		{"a unit is masked", link("/dev/null", "etc/systemd/system/a.service"), 2},
		{"a unit gets an alias", link("a.service", "etc/systemd/system/z.service"), 3},
		{"a unit's drop-in is masked", link("/dev/null", "etc/systemd/system/a.service.d/50-temper.conf"), 2},
		{"an executable is seen", add("usr/sbin/daemon", "#!/bin/sh\n"), 3},
		{"systemd is newer", add("usr/lib/systemd/libsystemd-shared-262.so", ""), 3},
		{"a verdict goes", remove(store + "a.service.json"), 2},
		{"a verdict is damaged", add(store+"a.service.json", "{"), 3},
		{"a verdict comes", add(store+"alone.service.json", "{}"), 3},
		{"a verdict is shipped", add("usr/lib/temper/verdicts/d.service.json", "{}"), 3},
		{"what lies ready goes", remove(ready.Path), 3},
		{"what lies ready is damaged", add(ready.Path, "temper ready 5\n\xff\xff\xff\xff"), 3},
		{"what lies ready is garbage", add(ready.Path, "\x00\x00\x00"), 3},
		{
			"a generator makes a unit",
			add("run/systemd/generator.late/z.service", "[Service]\nExecStart=/usr/sbin/z\n"),
			3,
		},
		{
			"a generator makes an alias",
			link("/usr/lib/systemd/system/a.service", "run/systemd/generator/alias.service"),
			3,
		},
		{"a unit is masked until reboot", link("/dev/null", "run/systemd/system/a.service"), 2},
		{"a unit gets a drop-in until reboot", add("run/systemd/system/a.service.d/x.conf", "[Service]\nNice=1\n"), 3},
		{"all units get a drop-in until reboot", add("run/systemd/system/service.d/x.conf", "[Service]\nNice=1\n"), 3},
		{"a slice denies addresses", add("etc/systemd/system/system.slice.d/x.conf", denied), 3},
		{"a slice denies addresses until reboot", add("run/systemd/system/system.slice.d/x.conf", denied), 3},
		{"all slices deny addresses until reboot", add("run/systemd/generator/slice.d/x.conf", denied), 3},
		{"nobody's unit is made", add("run/systemd/generator/nobody.service", "[Service]\nExecStart=/usr/sbin/z\n"), 3},
		{"the guard comes", add(units+"temper-guard@.service", "[Service]\nExecStart=/usr/bin/temper guard %i\n"), 3},
		{"a unit is excluded", add("etc/temper/temper.toml", "exclude = [\"a*\"]\n"), 2},
		{"everything is enforced", add("etc/temper/temper.toml", "unproven = \"enforce\"\n"), 4},
		{"a guard comes", add(units+"temper-guard@.service", "[Service]\nExecStart=/usr/bin/temper guard\n"), 3},
		{"the settings are wrong, and were not before", add("etc/temper/temper.toml", "unproven\n"), 3},
		{"a unit is another file with the times of the old one", func(t *testing.T, root string) {
			file := filepath.Join(root, units+"a.service")
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			put(t, root, units+"a.new", "[Service]\nExecStart=/usr/sbin/daemoo\n")
			if err := errors.Join(os.Chtimes(file[:len(file)-8]+".new", info.ModTime(), info.ModTime()),
				os.Rename(file[:len(file)-8]+".new", file)); err != nil {
				t.Fatal(err)
			}
		}, 3},
		{"a unit becomes a link to another", link("/etc/own.service", units+"a.service"), 2},
		{"all units get a drop-in", add("etc/systemd/system/service.d/x.conf", "[Service]\nNice=1\n"), 3},
		{"a unit gets a drop-in of the vendor", add(units+"a.service.d/x.conf", "[Service]\nNice=1\n"), 3},
		{"a directory of drop-ins is a link", func(t *testing.T, root string) {
			put(t, root, "srv/drop-ins/x.conf", "[Service]\nNice=1\n")
			link("/srv/drop-ins", "etc/systemd/system/a.service.d")(t, root)
		}, 3},
		{"a unit is empty", add("etc/systemd/system/a.service", ""), 2},
		{
			"the administrator has a unit of this name",
			add("etc/systemd/system/a.service", "[Service]\nExecStart=/x\n"),
			3,
		},
		{
			"a base of this name comes first",
			add("etc/temper/profiles.d/base/x.toml", "[service]\nPrivateTmp = false\n"),
			3,
		},
		{"a profile of this name comes first", add("etc/temper/profiles.d/all.toml", "units = []\n"), 0},
		{"a profile is behind a link that changes", link("other.toml", dir+"all.toml"), 3},
		{"the directory of verdicts becomes anybody's", func(t *testing.T, root string) {
			if err := os.Chmod(filepath.Join(root, store), 0o777); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"the directory of profiles becomes anybody's", func(t *testing.T, root string) {
			if err := os.Chmod(filepath.Join(root, dir), 0o777); err != nil {
				t.Fatal(err)
			}
		}, 0},
		{"the directory of profiles is a link", func(t *testing.T, root string) {
			if err := os.Rename(filepath.Join(root, dir), filepath.Join(root, "srv-profiles")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/srv-profiles", filepath.Join(root, "etc/temper/profiles.d")); err != nil {
				t.Fatal(err)
			}
		}, 3},
		{"a verdict is a link", func(t *testing.T, root string) {
			file := filepath.Join(root, store+"a.service.json")
			if err := errors.Join(os.Rename(file, file+".real"), os.Symlink("a.service.json.real", file)); err != nil {
				t.Fatal(err)
			}
		}, 3},
		{"systemd goes", remove("usr/lib/systemd/libsystemd-shared-257.so"), 0},
		{"another temper is installed", add("usr/lib/temper/temper-decide", "another"), 3},
	}
	for _, state := range states {
		for _, tt := range changes {
			t.Run(state.name+"/"+tt.name, func(t *testing.T) {
				root := readyRoot(t, state.files)
				time.Sleep(10 * time.Millisecond) // the clock of file times is coarse
				tt.change(t, root)
				with, _ := run(t, root)
				outdate(t, root)
				without, _ := run(t, root)
				// What lies ready asks for no proof: whatever made it did.
				delete(with, generator.NeedsProofFile)
				delete(without, generator.NeedsProofFile)
				if diff := cmp.Diff(without, with); diff != "" {
					t.Errorf("with what lies ready (-without +with):\n%s", diff)
				}
				if len(without) != tt.written && state.files == nil {
					t.Errorf("%d drop-ins, want %d", len(without), tt.written)
				}
			})
		}
	}
}

// outdate makes the boot record hold no more, also if it is damaged.
func outdate(t *testing.T, root string) {
	t.Helper()
	r, ok := ready.Load(root)
	if ok {
		r = r.Outdated()
		put(t, root, ready.Path, string(r.Bytes()))
	} else if err := os.Remove(filepath.Join(root, ready.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if ready.Copy(root, t.TempDir()) {
		t.Fatal("it still holds")
	}
}

// states are machines besides the plain one that most are; what lies ready serves them all.
var states = []struct {
	name  string
	files map[string]string
}{
	{"proven", nil},
	{"prove", map[string]string{"etc/temper/temper.toml": "unproven = \"prove\"\n"}},
	{"enforce, with secrets and a template", map[string]string{
		"etc/temper/temper.toml": "unproven = \"enforce\"\n\n[secrets]\n" +
			"\"/etc/x\" = [\"a.service\"]\n",
		"etc/temper/profiles.d/t.toml": "units = [\"t@.service\"]\n\n[service]\n" +
			"NoNewPrivileges = true\n",
		"etc/temper/profiles.d/n.toml": "units = [\"n.service\"]\n\n[service]\n" +
			"IPAddressDeny = \"any\"\nIPAddressAllow = \"10.0.0.1\"\n",
		"usr/lib/systemd/system/n.service":                   "[Service]\nExecStart=/usr/sbin/daemon\n",
		"usr/lib/systemd/system/t@.service":                  "[Service]\nExecStart=/usr/sbin/daemon\n",
		"etc/systemd/system/t@own.service.d/override.conf":   "[Service]\nNoNewPrivileges=no\n",
		"etc/systemd/system/t@other.service.d/override.conf": "[Service]\nNice=1\n",
	}},
}

// readyRoot is a proven root with more files, laid ready.
func readyRoot(t *testing.T, files map[string]string) string {
	t.Helper()
	root := provenRoot(t)
	for name, text := range files {
		put(t, root, name, text)
	}
	if err := generator.MakeBootRecord(host.At(root)); err != nil {
		t.Fatal(err)
	}
	return root
}

// A boot with what lies ready must not even open a profile or a verdict to parse it: shown by text that only it has.
func TestReadyIsUsed(t *testing.T) {
	for _, state := range states {
		root := readyRoot(t, state.files)
		r, ok := ready.Load(root)
		if !ok {
			t.Fatalf("%s: nothing lies ready", state.name)
		}
		r.Dropins[0].Text = []byte("# Copied\n")
		put(t, root, ready.Path, string(r.Bytes()))
		files, _ := run(t, root)
		copied := 0
		for _, text := range files {
			copied += strings.Count(text, "# Copied")
		}
		if copied != 1 {
			t.Errorf("%s: %d of %d drop-ins came from what lies ready", state.name, copied, len(files))
		}
	}
}

// A machine that has proven nothing yet gets there too.
func TestReadyWithoutVerdicts(t *testing.T) {
	root := t.TempDir()
	put(t, root, "usr/lib/systemd/libsystemd-shared-257.so", "")
	put(t, root, "usr/lib/systemd/system/a.service", "[Service]\nExecStart=/usr/sbin/daemon\n")
	put(t, root, "usr/lib/temper/profiles.d/a.toml", "units = [\"a.service\"]\n\n[service]\nNoNewPrivileges = true\n")
	put(t, root, "etc/temper/temper.toml", "unproven = \"enforce\"\n")
	if err := generator.MakeBootRecord(host.At(root)); err != nil {
		t.Fatal(err)
	}
	if r, ok := ready.Load(root); !ok || !r.Holds(root) || len(r.Dropins) != 1 {
		t.Errorf("loaded %t, holds %t, %d drop-ins", ok, r.Holds(root), len(r.Dropins))
	}
}

// What is damaged is not there: a record of which a part or any one bit is lost.
func TestReadyDamaged(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(readyRoot(t, nil), ready.Path))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := ready.Parse(data); !ok {
		t.Fatal("a whole record does not parse")
	}
	for n := range data {
		if _, ok := ready.Parse(data[:n]); ok {
			t.Errorf("the first %d of %d bytes parse", n, len(data))
		}
		for bit := range 8 {
			data[n] ^= 1 << bit
			if _, ok := ready.Parse(data); ok {
				t.Errorf("byte %d without bit %d parses", n, bit)
			}
			data[n] ^= 1 << bit
		}
	}
}

// What temper decides may change with its programs: another one does not use what the one before has laid ready.
func TestReadyKnowsTemper(t *testing.T) {
	for _, program := range []string{
		"usr/lib/temper/temper-decide",
		"usr/local/lib/systemd/system-generators/temper-generator",
	} {
		root := readyRoot(t, map[string]string{program: "old"})
		r, ok := ready.Load(root)
		if !ok || !r.Holds(root) {
			t.Fatal("nothing lies ready")
		}
		put(t, root, program, "newer")
		if r.Holds(root) {
			t.Errorf("the record holds with another %s", program)
		}
	}
}
