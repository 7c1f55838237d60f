package integration_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"

	"temper/generator"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/profiles"
)

// closedUnits keep something closed that systemd opens again where it mounts something new. Each runs the program of
// abilities.
var closedUnits = map[string]string{
	"plain":       "",
	"noexec":      "NoExecPaths=/\nExecPaths=/usr /lib /lib64\n",
	"noexec-some": "NoExecPaths=/tmp /home /dev/shm /run\n",
	"strict":      "ProtectSystem=strict\n",
	"strict-tmp":  "ProtectSystem=strict\nReadWritePaths=/tmp /var/tmp /run\n",
	"read-only":   "ReadOnlyPaths=/\n",
	"both-ways":   "ReadOnlyPaths=/\nReadWritePaths=/\n",
	"empty-tmp":   "TemporaryFileSystem=/tmp:ro /var/tmp:noexec\n",
	"both":        "ReadOnlyPaths=/\nNoExecPaths=/\nExecPaths=/usr /lib /lib64\n",
	"caps":        "CapabilityBoundingSet=CAP_SYS_CHROOT\nPrivateNetwork=yes\n",
}

// abilities is a shell script that prints what it can do, one line for each: directories in which it can write,
// execute and read, its capabilities, the families of sockets that it can connect, and its mounts.
const abilities = `#!/bin/sh
exec 2>/dev/null
for d in / /boot /dev /dev/mqueue /dev/shm /etc /home /opt /root /run /run/lock /run/user \
	/srv /tmp /usr /var/lib /var/tmp; do
	if echo x >$d/.new-$1; then
		echo "write $d"
		cp /usr/bin/true $d/.new-$1 && chmod +x $d/.new-$1 && $d/.new-$1 && echo "execute $d"
		rm -f $d/.new-$1
	fi
	$d/.probe-true && echo "execute $d"
	read x <$d/.probe-text && echo "read $d"
done
while read name set; do case $name in CapBnd:|CapEff:|CapAmb:) echo "$name $set";; esac; done </proc/self/status
bash -c 'LC_ALL=C; exec 2>&1; exec 3<>/dev/tcp/127.0.0.1/9' | grep -q refused && echo "connect inet"
bash -c 'LC_ALL=C; exec 2>&1; exec 3<>/dev/tcp/::1/9' | grep -q refused && echo "connect inet6"
cat /proc/self/mountinfo
echo end
`

// TestSystemdAbilities runs units that keep much closed under every base, and under everything that mounts, and asks
// the process: what it cannot do in the unit as it is it must not be able to do with temper's drop-in. Instances
// whose drop-ins are those of a prefix or of another name of their template are among them.
func TestSystemdAbilities(t *testing.T) {
	t.Parallel()
	for _, tree := range []string{"bookworm", "trixie", "sid"} {
		t.Run(tree, func(t *testing.T) {
			t.Parallel()
			stage := t.TempDir()
			names := stageClosed(t, stage, tree)
			p := boot(t, testroot.Path(t, tree), filesBelow(t, stage, "usr/local"))
			command(t, p, "ln -s other@.service "+units+"/alias@.service; mkdir -p /run/lock /run/user\n"+
				"for d in / /boot /dev/shm /etc /home /opt /root /run /run/lock /run/user /srv /tmp /var/lib "+
				"/var/tmp; do "+
				"cp /usr/bin/true $d/.probe-true; echo x >$d/.probe-text; done; systemctl daemon-reload")
			machine, err := mountinfo.GetMountsFromReader(strings.NewReader(command(t, p,
				"cat /proc/1/mountinfo")), nil)
			if err != nil {
				t.Fatal(err)
			}
			before := run(t, p, names)
			for _, name := range names {
				if !before[name].can["end"] {
					t.Fatalf("%s did not run: %v", name, slices.Sorted(maps.Keys(before[name].can)))
				}
			}
			for _, base := range []string{
				"base/baseline", "base/daemon", "base/network-daemon", "base/strict",
				"mounts",
			} {
				texts := dropins(t, stage, base)
				script := "rm -rf /run/systemd/system/*.service.d\n"
				for name, text := range texts {
					dir := "/run/systemd/system/" + name + ".d"
					script += fmt.Sprintf("mkdir -p %s; cat >%s/%s <<'END'\n%sEND\n", dir, dir, generator.Dropin, text)
				}
				command(t, p, script+"systemctl daemon-reload")
				ran := 0
				for name, after := range run(t, p, names) {
					for _, problem := range after.beyond(before[name], machine) {
						t.Errorf("%s under %s: %s\n%s", name, base, problem, texts[name])
					}
					if texts[name] != "" && after.can["end"] {
						ran++
					}
				}
				if ran < 5 {
					t.Errorf("only %d hardened units ran under %s", ran, base)
				}
				t.Logf("%s: %d units with a drop-in, of which %d ran", base, len(texts), ran)
			}
		})
	}
}

// ability is what a process was able to do.
type ability struct {
	can          map[string]bool
	capabilities map[string]uint64
	mounts       []*mountinfo.Info
}

// run starts units and returns what each said.
func run(t *testing.T, p *place.Place, names []string) map[string]ability {
	t.Helper()
	list := strings.Join(names, " ")
	out := command(t, p, "rm -f /var/log/abilities-*; systemctl start "+list+" 2>/dev/null; for u in "+list+
		"; do echo \"@ $u\"; cat /var/log/abilities-$u; done 2>&1")
	all := map[string]ability{}
	for part := range strings.SplitSeq(out, "@ ") {
		name, lines, _ := strings.Cut(part, "\n")
		if !slices.Contains(names, name) {
			continue
		}
		a := ability{can: map[string]bool{}, capabilities: map[string]uint64{}}
		var mounts strings.Builder
		for line := range strings.Lines(lines) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			n, err := strconv.ParseUint(value, 16, 64)
			switch {
			case strings.Contains(line, " - "):
				mounts.WriteString(line)
			case strings.HasPrefix(key, "Cap") && err == nil:
				a.capabilities[key] = n
			case slices.Contains([]string{"write", "execute", "read", "connect", "end"},
				strings.SplitN(key, " ", 2)[0]):
				a.can[key] = true
			}
		}
		var err error
		if a.mounts, err = mountinfo.GetMountsFromReader(strings.NewReader(mounts.String()), nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = a
	}
	return all
}

// beyond says what a process can do that another could not. What the machine itself has closed, as a container has
// /sys, is not what the unit keeps closed.
func (a ability) beyond(b ability, machine []*mountinfo.Info) []string {
	var found []string
	for _, what := range slices.Sorted(maps.Keys(a.can)) {
		if !b.can[what] {
			found = append(found, "it can "+what)
		}
	}
	for name, set := range a.capabilities {
		if more := set &^ b.capabilities[name]; more != 0 {
			found = append(found, fmt.Sprintf("%s has %x more", name, more))
		}
	}
	for _, m := range a.mounts {
		was, outside := mountOf(b.mounts, m.Mountpoint), mountOf(machine, m.Mountpoint)
		isNode := path.Dir(m.Mountpoint) == "/dev" && m.FSType == "devtmpfs" // a device does what it does on any mount
		if was == nil || outside == nil || isNode || mountOf(a.mounts, m.Mountpoint) != m {
			continue
		}
		for _, closed := range []string{"ro", "noexec"} {
			if option(was, closed) && !option(outside, closed) && !option(m, closed) {
				found = append(found, m.Mountpoint+" is not "+closed)
			}
		}
	}
	return found
}

// mountOf is the mount on which a path lies.
func mountOf(mounts []*mountinfo.Info, p string) *mountinfo.Info {
	var best *mountinfo.Info
	for _, m := range mounts {
		if host.Below(m.Mountpoint, p) && (best == nil || len(m.Mountpoint) >= len(best.Mountpoint)) {
			best = m
		}
	}
	return best
}

func option(m *mountinfo.Info, name string) bool {
	return slices.Contains(strings.Split(m.Options+","+m.VFSOptions, ","), name)
}

// dropins are the drop-ins that the generator makes for the units of a root, under one base or under what mounts most.
func dropins(t *testing.T, stage, base string) map[string]string {
	t.Helper()
	text := "units = [\"closed-*.service\", \"site-wp@.service\", \"other@.service\"]\n"
	if base == "mounts" {
		text += mounts
	} else {
		text += fmt.Sprintf("extends = [%q]\n", base)
	}
	write(t, filepath.Join(stage, "etc/temper/profiles.d/closed.toml"), text)
	g, problems, err := generator.New(host.At(stage), "")
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	decisions, problems := g.Decisions()
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	texts := map[string]string{}
	for _, d := range decisions {
		if d.Text != "" {
			texts[d.Unit] = d.Text
		}
	}
	return texts
}

// mounts sets whatever mounts something for a service, to the values that leave most of it open.
const mounts = `[service]
ProtectSystem         = "strict"
ReadWritePaths        = ["/srv", "-/run", "/var/lib"]
ReadOnlyPaths         = ["/opt", "/etc"]
TemporaryFileSystem   = ["/media", "/mnt:ro", "/:ro"]
BindReadOnlyPaths     = ["/etc/passwd", "/opt", "/srv", "/usr/share"]
BindPaths             = ["/var/lib", "/run/lock", "/home", "/var/tmp"]
ProtectHome           = "tmpfs"
PrivateTmp            = true
PrivateMounts         = true
ProtectProc           = "invisible"
ProcSubset            = "pid"
ProtectControlGroups  = true
ProtectKernelTunables = true
PrivateDevices        = true
PrivateIPC            = true
PrivateNetwork        = true
PrivateBPF            = true
`

// stageClosed writes the units, and what the generator needs, into a root, and returns the names of the units that run.
func stageClosed(t *testing.T, stage, tree string) []string {
	t.Helper()
	const service = "[Service]\nType=oneshot\nExecStart=/usr/local/bin/abilities %n\n" +
		"StandardOutput=truncate:/var/log/abilities-%n\n"
	unit := func(name, text string) { write(t, filepath.Join(stage, units, name), text) }
	names := []string{"site-wp@bar.service", "site-wp@free.service", "other@baz.service"}
	for name, text := range closedUnits {
		names = append(names, "closed-"+name+".service")
		unit("closed-"+name+".service", service+text)
	}
	unit("site-wp@.service", service)
	unit("other@.service", service)
	unit("site-@bar.service.d/10.conf", "[Service]\n"+closedUnits["caps"]+closedUnits["both"])
	unit("alias@baz.service.d/10.conf", "[Service]\n"+closedUnits["caps"]+closedUnits["strict"])
	if err := os.Symlink("other@.service", filepath.Join(stage, units, "alias@.service")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(stage, "usr/local/bin/abilities"), abilities)
	write(t, filepath.Join(stage, "etc/temper/temper.toml"), "unproven = \"enforce\"\n")
	write(t, filepath.Join(stage, fmt.Sprintf("usr/lib/systemd/libsystemd-shared-%d.so", testroot.Versions[tree])), "")
	if err := os.CopyFS(filepath.Join(stage, "usr/lib/temper/profiles.d"), profiles.Library()); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// filesBelow lists the files of a directory of a root; links are left out.
func filesBelow(t *testing.T, root, dir string) []place.File {
	t.Helper()
	var files []place.File
	err := filepath.WalkDir(filepath.Join(root, dir), func(name string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(name)
		files = append(files, place.File{Name: strings.TrimPrefix(name, root), Data: data, Mode: 0o755})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
