package integration_test

import (
	"bytes"
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"temper/analyzer/exposure"
	"temper/generator"
	"temper/harness/place"
	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/profiles"
)

// units is where the copies of unit files stand in a place: not in /etc, where they would be the administrator's.
const units = "/usr/local/lib/systemd/system"

// A copy is a unit file of a distribution under another name, without temper's drop-in or with it.
type copied struct {
	name  string // "plain-nginx.service"
	of    string // "nginx.service"
	text  string // of the drop-in; "" for the plain copy
	from  string // the profile that first asked for the text
	plain string // the name of the plain copy
}

// TestSystemdNeverWeaker loads every service unit of a root and of many daemons into the real systemd, as they are and
// with what temper makes of them for every shipped profile, and compares what systemd then has.
func TestSystemdNeverWeaker(t *testing.T) {
	t.Parallel()
	for name, version := range testroot.Versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			daemons := name
			if name == "bullseye" { // its own daemons are too old a copy of the next release's to be worth a download
				daemons = "bookworm"
			}
			tree := testroot.Path(t, name)
			stage := t.TempDir()
			originals := stageUnits(t, stage, tree, testroot.Daemons(t, daemons)+"/usr/lib/systemd/system")
			copies := harden(t, stage, originals, version)
			p := boot(t, tree, filesOf(t, stage, copies))
			begin := time.Now()
			loaded := load(t, p, copies)
			t.Logf("loaded after %s", time.Since(begin))
			weaker, refused := 0, 0
			for _, c := range copies {
				before, after := loaded[c.plain], loaded[c.name]
				if before.state() != after.state() {
					t.Errorf("%s with %s: load state %q, was %q\n%s", c.of, c.from, after.state(), before.state(),
						c.text)
				}
				if before.state() != "loaded" {
					refused++
					continue
				}
				for _, problem := range weakened(before, after, version) {
					t.Errorf("%s with %s: %s\n%s", c.of, c.from, problem, c.text)
					weaker++
				}
			}
			t.Logf("%d units, %d with a drop-in, %d that systemd refuses; %d weaker", len(originals),
				len(copies)-len(originals), refused, weaker)
			if len(originals) < 200 || len(copies) < 3*len(originals) {
				t.Errorf("only %d units in %d copies", len(originals), len(copies))
			}
			t.Logf("compared after %s", time.Since(begin))
			complaints(t, p, copies)
			analyzed(t, stage, copies, version)
			scores(t, p, copies, version)
			t.Logf("scored after %s", time.Since(begin))
			warnings(t, p, copies)
			table(t, p, version)
			t.Logf("verified after %s", time.Since(begin))
		})
	}
}

// stageUnits copies every unit file that is no link under "plain-NAME", with its drop-ins, and returns the names.
func stageUnits(t *testing.T, stage string, tree, daemons string) []string {
	t.Helper()
	var names []string
	for _, dir := range []string{
		filepath.Join(tree, "usr/lib/systemd/system"),
		filepath.Join(tree, "lib/systemd/system"), daemons,
	} {
		files, _ := filepath.Glob(filepath.Join(dir, "*.service"))
		for _, file := range files {
			name := filepath.Base(file)
			info, err := os.Lstat(file)
			if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || slices.Contains(names, name) {
				continue
			}
			names = append(names, name)
			copyFile(t, file, filepath.Join(stage, units, "plain-"+name))
			dropins, _ := filepath.Glob(filepath.Join(dir, name+".d", "*.conf"))
			for _, d := range dropins {
				copyFile(t, d, filepath.Join(stage, units, "plain-"+name+".d", filepath.Base(d)))
			}
		}
	}
	slices.Sort(names)
	return names
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// harden makes a plan for every unit and profile, as if the profile named the unit and as if it matched by a glob, and
// lists a copy for each text that comes of it.
func harden(t *testing.T, stage string, originals []string, version int) []copied {
	t.Helper()
	l := unit.Loader{Root: host.At(stage), Version: version}
	all := append(shipped(t), everything(t))
	pairs := pairing(all)
	var copies []copied
	for _, name := range originals {
		plain := "plain-" + name
		copies = append(copies, copied{plain, name, "", "", plain})
		u, err := l.Load(plain)
		if err != nil {
			t.Fatal(err)
		}
		texts := map[string]bool{}
		for _, p := range all {
			if !pairs(p, name) {
				continue
			}
			for _, named := range []bool{true, false} {
				plan := generator.NewPlan(generator.Input{Unit: u, Profile: p, Named: named, Version: version})
				text := plan.Text()
				body := text[strings.Index(text, "\n")+1:]
				if text == "" || texts[body] {
					continue
				}
				texts[body] = true
				hard := fmt.Sprintf("hard%d-%s", len(texts), name)
				copies = append(copies, copied{hard, name, text, fmt.Sprintf("%s (named: %t)", p.Name, named), plain})
			}
		}
	}
	return copies
}

var every = flag.Bool("every", false, "try everything with everything")

// perUnit is about how many of the profiles that are for other units are tried on each unit.
const perUnit = 4

// pairing says which profiles are tried on a unit. That every profile is tried on every unit would take hours once
// there are many: those that fit it are, those that fit any unit, the base sets, and of the others some, not always the
// same for two units.
func pairing(all []*profiles.Profile) func(p *profiles.Profile, name string) bool {
	others := 0
	for _, p := range all {
		if len(p.Units) > 0 {
			others++
		}
	}
	return func(p *profiles.Profile, name string) bool {
		if *every || len(p.Units) == 0 || slices.Contains(p.Units, name) {
			return true
		}
		h := fnv.New32a()
		fmt.Fprintf(h, "%s %s", p.Name, name)
		return int(h.Sum32()>>8)%max(others, perUnit) < perUnit
	}
}

func shipped(t *testing.T) []*profiles.Profile {
	t.Helper()
	set, problems := profiles.Load(host.At(t.TempDir()), []string{profiles.Builtin})
	for _, p := range problems {
		t.Error(p)
	}
	return set.All()
}

// everything is a profile that asks for the strongest of every directive, and for exceptions from all of it.
func everything(t *testing.T) *profiles.Profile {
	t.Helper()
	lists := map[string][]string{
		"ReadWritePaths":            {"/", "/run", "/var/lib", "/lib/modules", "/etc", "/home", "/proc/sys"},
		"ReadOnlyPaths":             {"/srv", "/home", "/var/cache", "/tmp"},
		"InaccessiblePaths":         {"/mnt", "/etc/shadow"},
		"TemporaryFileSystem":       {"/media:ro", "/opt", "/:ro"},
		"RootDirectory":             {"/srv/root"},
		"BindReadOnlyPaths":         {"/usr", "/etc/ssl", "/var/lib/x", "/home/x"},
		"BindPaths":                 {"/run", "/var/lib/x", "/etc/x", "/tmp", "/usr/lib/modules"},
		"NoExecPaths":               {"/", "/home"},
		"ExecPaths":                 {"/usr", "/lib", "/opt"},
		"DeviceAllow":               {"/dev/kvm rw", "char-rtc r"},
		"IPAddressDeny":             {"any"},
		"IPAddressAllow":            {"localhost", "10.0.0.0/8"},
		"SocketBindDeny":            {"any"},
		"SocketBindAllow":           {"tcp:80"},
		"RestrictNetworkInterfaces": {"lo eth0"},
		"RestrictFileSystems":       {"@basic-api ext4"},
		"RestrictAddressFamilies":   {"AF_UNIX AF_INET AF_INET6 AF_MCTP"},
		"RestrictNamespaces":        {"net user"},
		"CapabilityBoundingSet":     {"CAP_CHOWN CAP_NET_BIND_SERVICE CAP_SYS_TIME CAP_MKNOD CAP_SETUID"},
		"AmbientCapabilities":       {"CAP_NET_BIND_SERVICE"},
		"SystemCallArchitectures":   {"native"},
		"SystemCallFilter":          {"@system-service @mount", "~@resources:ENOSYS"},
		"SystemCallErrorNumber":     {"EPERM"},
		"SecureBits":                {"noroot-locked"},
		"UMask":                     {"0077"},
	}
	p := &profiles.Profile{Name: "everything"}
	for _, d := range directive.All() {
		values := lists[d.Name]
		if d.Ordered() {
			values = []string{d.Values[len(d.Values)-1].Name}
		}
		if d.Name == "DynamicUser" { // moves state directories and refuses many users
			continue
		}
		if err := d.Check(values); err != nil || values == nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		p.Service = append(p.Service, profiles.Setting{Name: d.Name, Values: values, Profile: p.Name})
	}
	return p
}

var busName = regexp.MustCompile(`(?m)^BusName=\S+`)

// filesOf lists the unit files and drop-ins of all copies.
func filesOf(t *testing.T, stage string, copies []copied) []place.File {
	t.Helper()
	var files []place.File
	var keep strings.Builder
	keep.WriteString("[Unit]\nDefaultDependencies=no\n")
	for i, c := range copies {
		fmt.Fprintf(&keep, "After=%s\n", instance(c.name))
		data, err := os.ReadFile(filepath.Join(stage, units, c.plain))
		if err != nil {
			t.Fatal(err)
		}
		// of two units with one name systemd refuses the second
		data = busName.ReplaceAll(data, []byte("${0}.n"+strconv.Itoa(i)))
		files = append(files, place.File{Name: units + "/" + c.name, Data: data})
		dropins, _ := filepath.Glob(filepath.Join(stage, units, c.plain+".d", "*.conf"))
		for _, d := range dropins {
			data, err := os.ReadFile(d)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, place.File{Name: units + "/" + c.name + ".d/" + filepath.Base(d), Data: data})
		}
		if c.text != "" {
			files = append(files, place.File{
				Name: "/run/systemd/generator/" + c.name + ".d/" + generator.Dropin,
				Data: []byte(c.text),
			})
			files[len(files)-1].Name = units + "/" + c.name + ".d/" + generator.Dropin
		}
	}
	return append(files, place.File{Name: units + "/keep.target", Data: []byte(keep.String())})
}

// instance names what can be loaded of a template.
func instance(name string) string { return strings.Replace(name, "@.", "@i.", 1) }

func boot(t *testing.T, tree string, files []place.File) *place.Place {
	t.Helper()
	p, err := place.Container(t.Context(), place.Options{Trusted: true, Image: tree, Files: files})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
	return p
}

func command(t *testing.T, p *place.Place, script string) string {
	t.Helper()
	r, err := p.Run(t.Context(), place.Command{Args: []string{"sh", "-c", script}, Timeout: 2 * time.Minute})
	if err != nil {
		t.Fatalf("%.200s: %v", script, err)
	}
	return r.Stdout + r.Stderr
}

// analyzed does the same for all copies by the exposure.
func analyzed(t *testing.T, stage string, copies []copied, version int) {
	t.Helper()
	l := unit.Loader{Root: host.At(stage), Version: version}
	before := map[string]int{}
	for _, c := range copies {
		u, err := l.Load(instance(c.plain))
		if err == nil && c.text != "" {
			u, err = u.With(generator.Dropin, c.text)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := offline.Score(u, exposure.Options{Version: version})
		switch {
		case err != nil && c.text == "": // systemd does not load it offline either
		case c.text == "":
			before[c.plain] = int(s.Exposure)
		case err != nil:
			if _, ok := before[c.plain]; ok {
				t.Errorf("%s with %s: %v", c.of, c.from, err)
			}
		default:
			if was, ok := before[c.plain]; ok && int(s.Exposure) > was {
				t.Errorf("%s with %s: analyzed exposure %d, was %d\n%s", c.of, c.from, s.Exposure, was, c.text)
			}
		}
	}
}

// warnings has systemd-analyze verify read every text beside a unit that has nothing to be warned of.
func warnings(t *testing.T, p *place.Place, copies []copied) {
	t.Helper()
	texts := map[string]string{}
	for _, c := range copies {
		if c.text != "" {
			texts[c.text[strings.Index(c.text, "\n")+1:]] = c.from
		}
	}
	var script bytes.Buffer
	script.WriteString("mkdir -p /run/verify; cd /run/verify\n")
	n := 0
	for text := range texts {
		n++
		fmt.Fprintf(&script, "mkdir w%d.service.d; printf "+
			"'[Unit]\\nDefaultDependencies=no\\n[Service]\\nExecStart=/bin/true\\n' >w%d.service\n"+
			"cat >w%d.service.d/50-temper.conf <<'END'\n%sEND\n", n, n, n, text)
	}
	if err := p.WriteFile("/run/verify.sh", script.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out := command(t, p, "sh /run/verify.sh && cd /run/verify && systemd-analyze verify --man=no ./w*.service 2>&1 | "+
		"grep -E 'w[0-9]+[.]service' | head -20; true")
	if out != "" {
		t.Errorf("systemd-analyze verify warns:\n%s", out)
	}
	if control := command(t, p, "cd /run/verify; echo Bogus=1 >>w1.service.d/50-temper.conf; systemd-analyze verify "+
		"--man=no ./w1.service 2>&1; true"); !strings.Contains(control, "Bogus") {
		t.Errorf("it does not warn where it must: %s", control)
	}
	t.Logf("%d texts verified", n)
}
