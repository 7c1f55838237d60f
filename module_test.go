package temper_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestModuleIsOneLine does what CONTRIBUTING.md says in a copy of the tree: with another path in the one line,
// everything compiles, and no test imports a package by the old path.
func TestModuleIsOneLine(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the whole tree")
	}
	dir := t.TempDir()
	copyTree(t, dir)
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	makefile := filepath.Join(dir, "Makefile")
	text, err := os.ReadFile(makefile)
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^MODULE = .*$`)
	if n := len(line.FindAll(text, -1)); n != 1 {
		t.Fatalf("the Makefile has %d lines with the path of the module", n)
	}
	const path = "example.org/hardening/temper"
	if err := os.WriteFile(makefile, line.ReplaceAll(text, []byte("MODULE = "+path)), 0o644); err != nil {
		t.Fatal(err)
	}
	run("make", "module")
	for name := range strings.FieldsSeq(run("go", "list", "-test", "-deps", "./...")) {
		if strings.HasPrefix(name, "temper/") {
			t.Errorf("%s is still imported", name)
		}
	}
	run("go", "build", "./...")
	run("go", "test", "-run", "TestImports|TestGeneratorIsSmall|TestAnalyzerIsALibrary", ".")
}

// copyTree copies every file of the tree that is part of the project.
func copyTree(t *testing.T, dir string) {
	t.Helper()
	list, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil { // an unpacked archive has no list, and nothing that is not part of it
		list, err = exec.Command("find", ".", "-type", "f", "-print0").Output()
	}
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list), "\x00"), "\x00") {
		info, err := os.Lstat(name)
		if err != nil || !info.Mode().IsRegular() { // deleted and not committed yet, or a link
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, data, info.Mode()); err != nil {
			t.Fatal(err)
		}
	}
}
