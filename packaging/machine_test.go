package packaging_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/testroot"
)

// machine is a Debian system. What happens in a boot of it is gone with the boot, unless it is kept.
type machine struct {
	t    *testing.T
	root string
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A boot of a machine.
type boot struct {
	*place.Place
	t *testing.T
}

func (m *machine) boot(files ...place.File) *boot {
	m.t.Helper()
	var console bytes.Buffer
	where, err := place.Container(m.t.Context(), place.Options{
		Trusted: true,
		Image:   m.root, Unit: "multi-user.target", Log: &console, Timeout: 3 * time.Minute, Files: files,
	})
	if err != nil {
		m.t.Fatalf("%v\n%s", err, console.String())
	}
	m.t.Cleanup(func() { must(m.t, where.Close()) })
	return &boot{where, m.t}
}

// keep ends a boot and returns the machine as it left it.
func (b *boot) keep() *machine {
	b.t.Helper()
	b.run("sync")
	dir := b.t.TempDir()
	must(b.t, unix.Mount("temper-packages", dir, "tmpfs", 0, "mode=755"))
	b.t.Cleanup(func() { must(b.t, unix.Unmount(dir, 0)) })
	// The root of the place is a link that must be followed; what is mounted in it each boot makes afresh.
	out, err := exec.Command("cp", "--archive", "--one-file-system", b.Root().Dir()+"/.", dir).CombinedOutput()
	if err != nil {
		b.t.Fatalf("keep the machine: %v\n%s", err, out)
	}
	must(b.t, b.Close())
	return &machine{b.t, dir}
}

// try runs a shell command line and returns its status and what it said.
func (b *boot) try(line string) (int, string) {
	b.t.Helper()
	r, err := b.Run(b.t.Context(), place.Command{Args: []string{"/bin/sh", "-c", line}, Timeout: 6 * time.Minute})
	must(b.t, err)
	return r.Status, r.Stdout + r.Stderr
}

func (b *boot) run(line string) string {
	b.t.Helper()
	status, out := b.try(line)
	if status != 0 {
		_, log := b.try("systemctl --no-pager status temper-prove.path temper-prove.service; journalctl --no-pager " +
			"-b -n 60 -u 'temper-prove*' -u 'temper-guard*' -u nginx -u greeter")
		b.t.Fatalf("%s: status %d\n%s\n%s", line, status, out, log)
	}
	return out
}

// files lists everything on the file systems of a machine that last, with what would show a change. Directories have no
// time and no size: those change where something in them does.
func (b *boot) files() map[string]string {
	b.t.Helper()
	list := map[string]string{}
	root := b.Root().Dir() + "/."
	must(b.t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		switch name {
		case "dev", "proc", "run", "sys", "tmp":
			return fs.SkipDir
		}
		var st unix.Stat_t
		if err := unix.Lstat(path, &st); err != nil {
			return err
		}
		what := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
		if !d.IsDir() {
			target, _ := os.Readlink(path)
			what += fmt.Sprintf(" %d %d %s", st.Size, st.Mtim.Nano(), target)
		}
		list["/"+name] = what
		return nil
	}))
	return list
}

// differences lists the names of what is not the same in two lists of files.
func differences(before, after map[string]string) []string {
	var names []string
	for name, what := range before {
		if after[name] != what {
			names = append(names, name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// without leaves out the names of others and of what is below them.
func without(names, others []string) []string {
	return slices.DeleteFunc(names, func(name string) bool {
		return slices.ContainsFunc(others,
			func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
	})
}

// tree is the machine of a suite before anything was done to it.
func tree(t *testing.T, suite string) *machine {
	t.Helper()
	return &machine{t, testroot.Path(t, "packages-"+suite)}
}
