package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/testroot"
)

var program string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "temper-generator")
	if err == nil {
		program = filepath.Join(dir, "temper-generator")
		err = exec.Command("go", "build", "-o", dir+"/", ".", "../temper-decide").Run()
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// root is a machine with the services good and bad, of which a profile of its own names each.
func root(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "usr/lib/systemd/libsystemd-shared-257.so", "")
	put(t, dir, "etc/temper/temper.toml", "unproven = \"enforce\"\n")
	for _, name := range []string{"good", "bad"} {
		put(t, dir, "usr/lib/systemd/system/"+name+".service", "[Service]\nExecStart=/bin/true\n")
		put(t, dir, "etc/temper/profiles.d/"+name+".toml", "units = [\""+name+
			".service\"]\n\n[service]\nPrivateTmp = true\n")
	}
	return dir
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

// run runs the program within a second and returns its exit status, what it said and the units that it hardened.
func run(t *testing.T, root, out string, env ...string) (int, string, []string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, out, out+"/early", out+"/late")
	c.Env = append([]string{"TEMPER_ROOT=" + root, "SYSTEMD_IN_INITRD=0"}, env...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	begin := time.Now()
	err := c.Run()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(out, "*.service.d", "*"))
	var units []string
	for _, f := range files {
		units = append(units, filepath.Base(filepath.Dir(f)))
	}
	return c.ProcessState.ExitCode(), stderr.String(), units
}

// Whatever is wrong with one thing, the unit that depends on it is left as it is, one line says so, and the rest is
// done.
func TestSurvives(t *testing.T) {
	const profile, service = "etc/temper/profiles.d/bad.toml", "usr/lib/systemd/system/bad.service"
	fifo := func(name string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			_ = os.Remove(filepath.Join(root, name))
			if err := unix.Mkfifo(filepath.Join(root, name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, root string) { put(t, root, name, text) }
	}
	huge := func(name string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			if err := os.Truncate(filepath.Join(root, name), 100<<20); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(target, name string) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			_ = os.Remove(filepath.Join(root, name))
			if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode := func(name string, mode os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, root string) {
			if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	brackets := func(size int) string { return "x = " + strings.Repeat("[", size-4) }
	garbage := strings.Repeat("\x00\xff[\n=\"", 1000)
	tests := []struct {
		name   string
		damage func(*testing.T, string)
		says   string // a part of the one line
		good   bool   // the other unit is hardened
	}{
		{"a FIFO for a profile", fifo(profile), profile + ": is a FIFO", true},
		{"a FIFO for a unit", fifo(service), "bad.service: is a FIFO", true},
		{"a FIFO for a verdict", func(t *testing.T, root string) {
			put(t, root, "etc/temper/verdicts/x", "")
			fifo("etc/temper/verdicts/bad.service.json")(t, root)
		}, "bad.service.json: is a FIFO", true},
		{"a FIFO for the settings", fifo("etc/temper/temper.toml"), "temper.toml: is a FIFO", false},
		{"a directory for a profile", func(t *testing.T, root string) {
			_ = os.Remove(filepath.Join(root, profile))
			put(t, root, profile+"/x", "")
		}, profile, true},
		{"100 MiB of profile", huge(profile), "has 104857600 bytes", true},
		{"100 MiB of unit", huge(service), "bad.service: has 104857600 bytes", true},
		{
			"4 MB of brackets for the settings", write("etc/temper/temper.toml", brackets(4<<20)), "want at most 65536",
			false,
		},
		{
			"64 KiB of brackets for the settings", write("etc/temper/temper.toml", brackets(64<<10)), "temper.toml:1: ",
			false,
		},
		{"4 MB of brackets for a profile", write(profile, brackets(4<<20)), "want at most 65536", true},
		{"64 KiB of brackets for a profile", write(profile, brackets(64<<10)), profile + ":1: ", true},
		{"garbage for a profile", write(profile, garbage), profile + ":1: ", true},
		{"garbage for a unit", write(service, "[Service\n"+garbage), "bad.service", true},
		{"garbage for the settings", write("etc/temper/temper.toml", garbage), "temper.toml:1: ", false},
		{"a profile that leads nowhere", link("/nowhere", profile), profile, true},
		{"a profile in a loop", link("bad.toml", profile), profile, true},
		{"a unit that leads nowhere", link("/nowhere", service), "bad.service", true},
		{"a profile that leads out", link("/etc/passwd", profile), "link out of the search path", true},
		{"a profile that anybody can write", mode(profile, 0o666), "others can write it", true},
		{"settings that anybody can write", mode("etc/temper/temper.toml", 0o666), "others can write it", false},
		{
			"a profile that smuggles a line",
			write(profile, "units = [\"bad.service\"]\n\n[service]\nReadOnlyPaths = "+
				"[\"/srv\\nExecStartPre=/bin/evil\"]\n"), "control character", true,
		},
		{
			"a profile that sets more than a sandbox",
			write(profile, "units = [\"bad.service\"]\n\n[service]\nExecStart = \"/bin/evil\"\n"),
			"no sandboxing directive", true,
		},
		{"no systemd", func(t *testing.T, root string) {
			if err := os.RemoveAll(filepath.Join(root, "usr/lib/systemd/libsystemd-shared-257.so")); err != nil {
				t.Fatal(err)
			}
		}, "systemd is not installed", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := root(t)
			tt.damage(t, dir)
			code, said, units := run(t, dir, t.TempDir())
			if code != 1 || !strings.Contains(said, tt.says) || strings.Contains(said, "bug") ||
				strings.Count(said, "\n") != 1 {
				t.Errorf("exit status %d: %s", code, said)
			}
			want := "[good.service.d]"
			if !tt.good {
				want = "[]"
			}
			if got := fmt.Sprint(units); got != want {
				t.Errorf("hardened %s, want %s", got, want)
			}
		})
	}
}

// A directory of output that takes nothing leaves nothing behind, not even a temporary file.
func TestFullOutput(t *testing.T) {
	testroot.NeedFor(t, "mount a full file system")
	out := t.TempDir()
	if err := unix.Mount("tmpfs", out, "tmpfs", 0, "nr_inodes=3"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(out, unix.MNT_DETACH)
	code, said, units := run(t, root(t), out)
	if code != 1 || !strings.Contains(said, "no space left on device") {
		t.Errorf("exit status %d: %s", code, said)
	}
	if len(units) > 1 {
		t.Errorf("wrote %v into three inodes", units)
	}
	left, _ := filepath.Glob(filepath.Join(out, "*.service.d", ".*"))
	if len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// While systemd runs it, it speaks to the kernel log and nowhere else, each line with the priority of an error.
func TestKernelLog(t *testing.T) {
	testroot.NeedFor(t, "mount something over /dev/kmsg")
	dir, log := root(t), filepath.Join(t.TempDir(), "kmsg")
	put(t, dir, "etc/temper/profiles.d/bad.toml", "units\n")
	if err := os.WriteFile(log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("unshare", "--mount", "sh", "-ec", `mount --bind "$1" /dev/kmsg; shift; exec "$@"`, "sh", log,
		program, t.TempDir(), "early", "late")
	c.Env = append(os.Environ(), "TEMPER_ROOT="+dir, "SYSTEMD_IN_INITRD=0", "SYSTEMD_SCOPE=system")
	if out, _ := c.CombinedOutput(); len(out) > 0 || c.ProcessState.ExitCode() != 1 {
		t.Errorf("exit status %d: %s", c.ProcessState.ExitCode(), out)
	}
	said, err := os.ReadFile(log)
	if want := regexp.MustCompile(`^<3>temper-generator\[\d+\]: /etc/temper/profiles.d/bad.toml:1: .*\n$`); err != nil || !want.Match(said) {
		t.Errorf("%v, the kernel log has %q", err, said)
	}
}

func TestStaysOut(t *testing.T) {
	for name, env := range map[string]string{"initrd": "SYSTEMD_IN_INITRD=1", "user manager": "SYSTEMD_SCOPE=user"} {
		if code, said, units := run(t, root(t), t.TempDir(), env); code != 0 || said != "" || units != nil {
			t.Errorf("%s: exit status %d, %q, %v", name, code, said, units)
		}
	}
}

// Where no directory of profiles is, nothing else is looked at. A link that leads nowhere may come to lead somewhere.
func TestNoProfiles(t *testing.T) {
	for _, name := range append([]string{"/srv/x"}, ready.ProfileDirs...) {
		dir := t.TempDir()
		put(t, dir, "etc/temper/temper.toml", "wrong\n")
		link := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(link), 0o755), os.Symlink("/nowhere", link)); err != nil {
			t.Fatal(err)
		}
		code, said, units := run(t, dir, t.TempDir())
		if looked := said != ""; looked != (name != "/srv/x") || (code != 0) != looked || units != nil {
			t.Errorf("with only %s: exit status %d, %q, %v", name, code, said, units)
		}
	}
}

// What lies ready serves no boot that an administrator has turned something off for.
func TestReadyAndDisabled(t *testing.T) {
	dir := root(t)
	if err := generator.MakeBootRecord(host.At(dir)); err != nil {
		t.Fatal(err)
	}
	if _, ok := ready.Load(dir); !ok {
		t.Fatal("nothing lies ready")
	}
	if code, said, units := run(t, dir, t.TempDir()); code != 0 || said != "" || len(units) != 2 {
		t.Errorf("exit status %d, %q, %v", code, said, units)
	}
	put(t, dir, "etc/temper/disabled", "")
	if code, said, units := run(t, dir, t.TempDir()); code != 0 || !strings.Contains(said, "disabled exists") ||
		units != nil {
		t.Errorf("exit status %d, %q, %v", code, said, units)
	}
}

// Without its other half, the generator says so and leaves everything as it is.
func TestAlone(t *testing.T) {
	alone := filepath.Join(t.TempDir(), "temper-generator")
	if err := os.Link(program, alone); err != nil {
		t.Fatal(err)
	}
	whole := program
	program = alone
	defer func() { program = whole }()
	if code, said, units := run(t, root(t), t.TempDir()); code != 1 ||
		!strings.Contains(said, "temper-decide does not run") || units != nil {
		t.Errorf("exit status %d, %q, %v", code, said, units)
	}
}

func TestUsage(t *testing.T) {
	c := exec.Command(program, "a", "b")
	c.Env = []string{"TEMPER_ROOT=" + root(t), "SYSTEMD_IN_INITRD=0"}
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "want 3 or 1") {
		t.Errorf("%v: %s", err, out)
	}
}

// Without descriptors it cannot be told what is there. That is an error, and no off switch was set.
func TestOutOfDescriptors(t *testing.T) {
	for limit := 3; limit < 9; limit++ {
		out := t.TempDir()
		c := exec.Command("sh", "-c", `ulimit -n "$1"; shift; exec "$@"`, "sh", strconv.Itoa(limit), program, out,
			"early", "late")
		c.Env = []string{"TEMPER_ROOT=" + root(t), "SYSTEMD_IN_INITRD=0", "PATH=" + os.Getenv("PATH")}
		said, err := c.CombinedOutput()
		if strings.Contains(string(said), "exists") || strings.Contains(string(said), "not installed") {
			t.Errorf("with %d descriptors: %s", limit, said)
		}
		if files, _ := filepath.Glob(out + "/*"); err == nil && len(files) == 0 {
			t.Errorf("with %d descriptors nothing is written and nothing said", limit)
		}
	}
}

// TestCommandLine: where the kernel command line cannot be read, it may turn everything off.
func TestCommandLine(t *testing.T) {
	testroot.NeedFor(t, "make a directory the root of a process")
	for _, tt := range []struct {
		file, text string // below /proc
		says       string
		code       int
		hardens    int
	}{
		{"cmdline", "quiet\n", "", 0, 2},
		{"cmdline", "quiet temper=0\n", "temper=0 on the kernel command line", 0, 0},
		{"cmdline/x", "", "/proc/cmdline: is a directory: units stay as they are", 1, 0},
	} {
		dir := root(t)
		put(t, dir, "proc/"+tt.file, tt.text)
		if err := os.Link(filepath.Join(filepath.Dir(program), "temper-decide"), dir+"/temper-decide"); err != nil {
			t.Fatal(err)
		}
		c := exec.Command("/temper-decide", "/out")
		c.Dir, c.Env, c.SysProcAttr = "/", []string{"SYSTEMD_IN_INITRD=0"}, &syscall.SysProcAttr{Chroot: dir}
		said, _ := c.CombinedOutput()
		files, _ := filepath.Glob(dir + "/out/*.service.d/*")
		if code := c.ProcessState.ExitCode(); code != tt.code || len(files) != tt.hardens ||
			!strings.Contains(string(said), tt.says) {
			t.Errorf("%s with %q: exit status %d, wrote %q: %s", tt.file, tt.text, code, files, said)
		}
	}
}
