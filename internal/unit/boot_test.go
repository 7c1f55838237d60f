package unit_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"temper/internal/testroot"
)

// unitDirs are the directories of a tree that hold its own units.
var unitDirs = []string{
	"etc/systemd/system.control", "etc/systemd/system", "usr/lib/systemd/system",
	"usr/local/lib/systemd/system", "lib/systemd/system",
}

// generator puts what the test wants below /run in place: PID 1 empties its generator directories before it runs
// generators.
const generator = `#!/bin/sh
[ -d /test/run ] && cp -a /test/run/. /run/
exit 0
`

// asker runs in place of everything else that boots.
const asker = `#!/bin/sh
cp -a /run/systemd /answer/
xargs -d "\n" systemctl show --all $(cat /test/properties) -- </test/names >/answer/show 2>/answer/errors
systemd-escape -- $(cat /test/words) >/answer/escape
systemd-escape --path -- $(cat /test/paths) >/answer/escape-path
systemctl poweroff -ff
`

const (
	askerService = "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/test/asker\n"
	askerTarget  = "[Unit]\nDefaultDependencies=no\nRequires=temper-asker.service\n"
)

// machine is a copy of the unit directories of a Debian tree, to which a test adds units, and which systemd then
// boots with.
type machine struct {
	name string
	tree string // the Debian tree
	root string // what the test and systemd read
	test string // /test in the container
	out  string // /answer in the container
}

func newMachine(t *testing.T, name string) *machine {
	t.Helper()
	tree := testroot.Path(t, name)
	dir := t.TempDir()
	m := &machine{name, tree, dir + "/root", dir + "/test", dir + "/answer"}
	for _, d := range []string{m.test, m.out, m.root + "/srv"} {
		mkdir(t, d)
	}
	if target, err := os.Readlink(tree + "/lib"); err == nil {
		if err := os.Symlink(target, m.root+"/lib"); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range unitDirs {
		mkdir(t, m.root+"/"+d)
		if _, err := os.Stat(tree + "/" + d); err == nil {
			run(t, "cp", "-a", tree+"/"+d+"/.", m.root+"/"+d)
		}
	}
	for _, f := range []string{"etc/os-release", "usr/lib/os-release"} {
		run(t, "cp", "-a", tree+"/"+f, m.root+"/"+f)
	}
	return m
}

// write makes a file of the tree; what is below /run reaches the machine through a generator.
func (m *machine) write(t *testing.T, name, data string, mode fs.FileMode) {
	t.Helper()
	mkdir(t, filepath.Dir(name))
	if err := os.WriteFile(name, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
}

// boot starts the machine, has it answer about the units, and takes over what is in its /run. It fails the test if
// that does not come to an end.
func (m *machine) boot(t *testing.T, properties, names, words, paths []string) []map[string]string {
	t.Helper()
	if _, err := os.Stat(m.root + "/run"); err == nil {
		if err := os.Rename(m.root+"/run", m.test+"/run"); err != nil {
			t.Fatal(err)
		}
	}
	m.write(t, m.root+"/etc/systemd/system/temper-asker.service", askerService, 0o644)
	m.write(t, m.root+"/etc/systemd/system/temper-asker.target", askerTarget, 0o644)
	m.write(t, m.test+"/asker", asker, 0o755)
	m.write(t, m.test+"/generator", generator, 0o755)
	m.write(t, m.test+"/names", strings.Join(names, "\n"), 0o644)
	m.write(t, m.test+"/properties", "-p "+strings.Join(properties, " -p "), 0o644)
	m.write(t, m.test+"/words", strings.Join(words, "\n"), 0o644)
	m.write(t, m.test+"/paths", strings.Join(paths, "\n"), 0o644)
	console := m.nspawn(t)
	if errors := m.answer(t, "errors"); errors != "" {
		t.Fatalf("systemctl: %s\n%s", errors, console)
	}
	var units []map[string]string
	for block := range strings.SplitSeq(strings.TrimSpace(m.answer(t, "show")), "\n\n") {
		u := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			u[name] = value
		}
		units = append(units, u)
	}
	if len(units) != len(names) {
		t.Fatalf("%d answers about %d units\n%s", len(units), len(names), console)
	}
	mkdir(t, m.root+"/run")
	if err := os.Rename(m.out+"/systemd", m.root+"/run/systemd"); err != nil {
		t.Fatal(err)
	}
	return units
}

func (m *machine) answer(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(m.out, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// nspawn runs the container until it powers itself off. The Debian tree stays as it is: the container writes to an
// overlay.
func (m *machine) nspawn(t *testing.T) (console string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	id := fmt.Sprintf("temper-unit-%s-%d", m.name, os.Getpid())
	args := []string{
		"-q", "-D", m.tree, "--volatile=overlay", "-M", id, "--link-journal=no", "--register=no", "--keep-unit", "-b",
		"--private-network", "--console=pipe", "--bind-ro=" + m.test + ":/test", "--bind=" + m.out + ":/answer",
		"--bind-ro=" + m.root + "/srv:/srv", "--bind-ro=" + m.test +
			"/generator:/etc/systemd/system-generators/temper-test",
	}
	for _, d := range unitDirs {
		if _, err := os.Readlink(m.root + "/lib"); err == nil && strings.HasPrefix(d, "lib") {
			continue
		}
		args = append(args, "--bind-ro="+m.root+"/"+d+":/"+d)
	}
	cmd := exec.CommandContext(ctx, "systemd-nspawn", append(args, "systemd.unit=temper-asker.target")...)
	cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
	group := makeGroup(t, id)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd())}
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the container did not end: %v\n%s", err, out)
	}
	return string(out)
}

// makeGroup makes a cgroup for one container and clears it in the end.
func makeGroup(t *testing.T, id string) *os.File {
	t.Helper()
	top := "/sys/fs/cgroup/unified"
	if _, err := os.Stat(top); err != nil {
		top = "/sys/fs/cgroup"
	}
	dir := filepath.Join(top, id)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.Close()
		if err := os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0); err != nil {
			t.Logf("kill what is left in %s: %v", dir, err)
		}
		var dirs []string
		_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, name)
			}
			return nil
		})
		for _, d := range slices.Backward(dirs) {
			if err := os.Remove(d); err != nil {
				t.Errorf("left over: %v", err)
			}
		}
	})
	return f
}

func mkdir(t testing.TB, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
}
