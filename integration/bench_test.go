package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/profiles"
)

// A machine is a root on tmpfs with no more than two generators need.
type machine struct {
	root, fstab, temper string
	kind                string // what follows svcN in the name of each unit
}

// newMachine copies systemd's fstab generator with its libraries, builds temper's, and lays out the units.
func newMachine(b *testing.B, services int, kind string) *machine {
	b.Helper()
	tree := testroot.Path(b, "trixie")
	root := b.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, ""); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	m := &machine{
		root,
		"/usr/lib/systemd/system-generators/systemd-fstab-generator",
		"/usr/lib/systemd/system-generators/temper-generator",
		kind,
	}
	script := `cd "$1"; for f in "$3" $(chroot "$1" ldd "$3" | grep -o '/[^ ]*'); do mkdir -p "$2/$(dirname "$f")"; cp -L "./$f" "$2/$f"; done
		mkdir -p "$2/etc" "$2/proc" "$2/out" "$2/run"; cp usr/lib/os-release "$2/etc/"; cp etc/fstab "$2/etc/" 2>/dev/null; true`
	if out, err := exec.Command("sh", "-ec", script, "sh", tree, root, m.fstab).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for program, to := range map[string]string{
		"temper-generator": m.temper,
		"temper-decide":    "/usr/lib/temper/temper-decide",
	} {
		build := exec.Command("go", "build", "-trimpath", "-o", root+to, "../cmd/"+program)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v: %s", err, out)
		}
	}
	if err := unix.Mount("proc", root+"/proc", "proc", 0, ""); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = unix.Unmount(root+"/proc", unix.MNT_DETACH) })
	for i := range services {
		m.write(b, fmt.Sprintf("usr/lib/systemd/system/svc%d%s", i, kind), fmt.Sprintf(
			"[Unit]\nDescription=Service %d\nAfter=network.target\n\n[Service]\nType=notify\n"+
				"ExecStart=/usr/sbin/svc%d --foreground\n"+
				"Restart=on-failure\nUser=svc\nPrivateTmp=yes\n\n[Install]\nWantedBy=multi-user.target\n",
			i,
			i,
		))
	}
	return m
}

func (m *machine) write(b *testing.B, name, text string) {
	b.Helper()
	file := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

// profiles writes profiles for the first services, above the library that is shipped.
func (m *machine) profiles(b *testing.B, count int) {
	b.Helper()
	if err := os.CopyFS(filepath.Join(m.root, "usr/lib/temper/profiles.d"), profiles.Library()); err != nil {
		b.Fatal(err)
	}
	for i := range count {
		m.write(b, fmt.Sprintf("etc/temper/profiles.d/svc%d.toml", i), fmt.Sprintf(
			"description = \"service %d\"\nunits = [\"svc%d%s\"]\nextends = [\"base/network-daemon\"]\n\n[service]\n"+
				"ProtectSystem = \"strict\"\n"+
				"ReadWritePaths = [\"/var/lib/svc%d\"]\n\n[[check]]\nname = \"answers\"\n"+
				"http = { url = \"http://127.0.0.1/\", status = 200 }\n",
			i,
			i,
			m.kind,
			i,
		))
	}
}

// prove stores for every service what a proof without demotions would; in the store of packagers, what they would ship.
func (m *machine) prove(b *testing.B, shipped bool) {
	b.Helper()
	g, problems, err := generator.New(host.At(m.root), "")
	if err != nil || len(problems) > 0 {
		b.Fatal(err, problems)
	}
	decisions, problems := g.Decisions()
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	store := g.Store
	if shipped {
		store.Dirs = verdict.Dirs[1:]
	}
	for _, d := range decisions {
		u, err := g.Units.Load(d.Unit)
		if err != nil {
			b.Fatal(err)
		}
		v := verdict.Verdict{
			Unit: d.Unit, Profile: d.Profile.Name, Result: verdict.Proven, Systemd: g.Version, Dropin: d.Plan.Text(),
			Applied: d.Plan.Applied(),
		}
		if v.Fingerprint, err = g.Fingerprint(g.Input(u, d.Profile, d.Named)); err != nil {
			b.Fatal(err)
		}
		if shipped {
			v.Fingerprint.Systemd, v.Fingerprint.Kernel = 0, ""
		}
		if err := store.Put(v); err != nil {
			b.Fatal(err)
		}
	}
}

// run runs a generator in the machine and returns how long it took, and its peak memory in KiB.
func (m *machine) run(b *testing.B, program string) (time.Duration, int64) {
	b.Helper()
	out := filepath.Join(m.root, "out")
	for _, dir := range []string{"normal", "early", "late"} {
		if err := os.RemoveAll(filepath.Join(out, dir)); err != nil {
			b.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(out, dir), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	c := exec.Command(program, "/out/normal", "/out/early", "/out/late")
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: m.root}
	c.Dir = "/"
	c.Env = []string{"SYSTEMD_IN_INITRD=0"}
	begin := time.Now()
	text, err := c.CombinedOutput()
	took := time.Since(begin)
	if err != nil {
		b.Fatalf("%s: %v: %s", program, err, text)
	}
	usage, _ := c.ProcessState.SysUsage().(*syscall.Rusage)
	return took, usage.Maxrss
}

func (m *machine) written(b *testing.B) int {
	b.Helper()
	files, _ := filepath.Glob(filepath.Join(m.root, "out/normal/*/*.conf"))
	return len(files)
}

// BenchmarkBoot compares whole processes: temper's generator with systemd's fstab generator, in turns. Each state is
// one in which temper-prove.service, or temper prove itself, has left a machine, and in which it boots until something
// changes; "changed" is the one boot after that.
func BenchmarkBoot(b *testing.B) {
	const template, enforce = "@.service", "unproven = \"enforce\"\n"
	rows := []struct {
		name     string
		kind     string
		profiles int
		proven   string // by whom
		settings string
		written  int
		most     float64 // of the time of systemd-fstab-generator
	}{
		{"proven", ".service", 60, "here", "", 60, 0.9},
		{"shipped", ".service", 60, "shipped", "", 60, 0.9},
		{"templates", template, 60, "here", "", 60, 0.9},
		{"secrets", ".service", 60, "here", "[secrets]\n\"/etc/keys\" = [\"svc0.service\"]\n", 60, 0.9},
		{"prove", ".service", 60, "", "unproven = \"prove\"\n", 60, 0.9},
		{"enforce", ".service", 60, "", enforce, 60, 0.9},
		{"changed", ".service", 60, "", enforce, 60, 5},
		{"no-profile", ".service", 0, "", "", 0, 0.7},
	}
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			m := newMachine(b, 150, row.kind)
			if row.profiles > 0 {
				m.profiles(b, row.profiles)
			}
			if row.settings != "" {
				m.write(b, "etc/temper/temper.toml", row.settings)
			}
			if row.proven != "" {
				m.prove(b, row.proven == "shipped")
			}
			if row.name != "changed" {
				if err := generator.MakeBootRecord(host.At(m.root)); err != nil { // as temper renew and temper prove do
					b.Fatal(err)
				}
			}
			var fstab, temper []time.Duration
			for range max(b.N, 100) {
				f, _ := m.run(b, m.fstab)
				t, _ := m.run(b, m.temper)
				fstab, temper = append(fstab, f), append(temper, t)
			}
			if n := m.written(b); n != row.written {
				b.Fatalf("%d drop-ins, want %d", n, row.written)
			}
			f, t := typical(fstab), typical(temper)
			b.ReportMetric(float64(t)/float64(f), "of-fstab")
			b.ReportMetric(float64(t)/1e6, "ms")
			b.ReportMetric(float64(f)/1e6, "fstab-ms")
			if ratio := float64(t) / float64(f); ratio > row.most {
				b.Errorf("%.2f of the time of systemd-fstab-generator, want at most %.2f", ratio, row.most)
			}
		})
	}
}

// typical is the lower quartile: what else the machine does only adds.
func typical(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/4]
}

// BenchmarkMany has a hundred times as many units as most machines.
func BenchmarkMany(b *testing.B) {
	var took [2]time.Duration
	for i, scale := range []int{1, 10} {
		m := newMachine(b, 1000*scale, ".service")
		m.profiles(b, 100*scale)
		m.write(b, "etc/temper/temper.toml", "unproven = \"enforce\"\n")
		var all []time.Duration
		var peak int64
		for range 5 {
			t, memory := m.run(b, m.temper)
			all, peak = append(all, t), max(peak, memory)
		}
		if n := m.written(b); n != 100*scale {
			b.Fatalf("%d drop-ins", n)
		}
		took[i] = typical(all)
		b.ReportMetric(float64(took[i])/1e6, fmt.Sprintf("ms/%d-units", 1000*scale))
		b.ReportMetric(float64(peak)/1024, fmt.Sprintf("MiB/%d-units", 1000*scale))
		if peak > 64<<10 {
			b.Errorf("peak memory %d KiB, want less than 64 MiB", peak)
		}
	}
	if growth := float64(took[1]) / float64(took[0]); growth > 15 {
		b.Errorf("ten times the units and profiles took %.1f times as long", growth)
	}
}
