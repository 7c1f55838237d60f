package debian

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A Test is a test that a source package brings for its installed packages, as autopkgtest runs it:
// /usr/share/doc/autopkgtest/README.package-tests.rst.
type Test struct {
	Name         string
	Command      string   // a command line for /bin/sh, in the directory Source
	Depends      []string // packages that it needs
	Restrictions []string
}

// Source is where [Layer.Tests] unpacks the source of a package.
const Source = "/usr/src/temper-survey"

// kept are the restrictions with which a test can run in a place while a service runs. A test of a running service says
// isolation-container; one without it looks at files alone.
var kept = []string{"isolation-container", "needs-root", "allow-stderr", "skippable", "skip-not-installable"}

// runs reports whether a test can run in a place, and is of a running service.
func (t Test) runs() bool {
	return t.has("isolation-container") &&
		!slices.ContainsFunc(t.Restrictions, func(r string) bool { return !slices.Contains(kept, r) })
}

func (t Test) has(restriction string) bool { return slices.Contains(t.Restrictions, restriction) }

// User is who runs the test.
func (t Test) User() string {
	if t.has("needs-root") {
		return "root"
	}
	return "nobody"
}

// Script runs the test as autopkgtest does: an error is a status other than 0 or, without allow-stderr, any word on
// stderr. It ends with 77 where the test skips itself.
func (t Test) Script() string {
	script := "cd " + Source + " || exit 77\n" +
		"dir=$(mktemp -d) || exit 77\ntrap 'rm -rf \"$dir\"' EXIT\n" +
		"export AUTOPKGTEST_TMP=$dir/tmp AUTOPKGTEST_ARTIFACTS=$dir/artifacts HOME=$dir\n" +
		"mkdir \"$AUTOPKGTEST_TMP\" \"$AUTOPKGTEST_ARTIFACTS\"\n" +
		"( " + t.Command + "\n) 2>\"$dir/stderr\"\nstatus=$?\ncat \"$dir/stderr\" >&2\n"
	if !t.has("skippable") {
		script += "[ $status != 77 ] || status=1\n"
	}
	if !t.has("allow-stderr") {
		script += "[ $status != 0 ] || [ ! -s \"$dir/stderr\" ] || status=1\n"
	}
	return script + "exit $status\n"
}

// Tests unpacks the source of an installed package, installs what its tests of running services need, and returns those
// that can run in a place. Debian's patches are not applied: tests are below debian/.
func (l *Layer) Tests(ctx context.Context, pkg string) ([]Test, error) {
	about, err := run(ctx, l.Tree, "apt-cache", "showsrc", "--", pkg)
	if err != nil || !hasTests(about) {
		return nil, ignorePackage(err)
	}
	err = l.Shell(ctx, "mkdir -p "+Source+" && cd "+Source+"/.. && mkdir -p archive && cd archive && "+
		"apt-get --quiet --download-only -o Acquire::Check-Valid-Until=false -o APT::Sandbox::User=root source "+pkg+" && "+
		"for part in *.orig.tar.* *.debian.tar.*; do case $part in '*'*|*.asc) continue;; esac; "+
		"tar --extract --file \"$part\" --directory "+Source+
		" $(case $part in *.debian.*) ;; *) echo --strip-components=1;; esac); done && "+
		"if [ ! -e "+Source+"/debian ]; then tar --extract --strip-components=1 --file $(ls *.tar.* | head -n 1) "+
		"--directory "+Source+"; fi && cd .. && rm -r archive && chmod -R a+rX "+Source+" && "+
		"find "+Source+"/debian/tests -type f -exec chmod a+x {} +")
	if err != nil {
		return nil, ignorePackage(err)
	}
	data, err := os.ReadFile(filepath.Join(l.Tree, Source, "debian/tests/control"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // autodep8 would make one
	}
	if err != nil {
		return nil, err
	}
	var tests []Test
	for _, t := range readTests(string(data), pkg) {
		if !t.runs() {
			continue
		}
		if err := l.Install(ctx, t.Depends...); errors.Is(err, ErrNotInstallable) || errors.Is(err, ErrScript) {
			continue
		} else if err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	return tests, nil
}

// ignorePackage makes nothing of an error that is about the package: it has no tests then.
func ignorePackage(err error) error {
	if _, ok := errors.AsType[*Failed](err); ok {
		return nil
	}
	return err
}

// hasTests reports whether one of the source packages that apt-cache shows has tests.
func hasTests(about string) bool {
	for line := range strings.Lines(about) {
		if list, ok := strings.CutPrefix(line, "Testsuite:"); ok && strings.Contains(list, "autopkgtest") {
			return true
		}
	}
	return false
}

// readTests reads a debian/tests/control: paragraphs of fields, where "Tests: a, b" and "Test-Command: x" make tests.
// In Depends, "@" are the packages of the source, of which pkg is installed.
func readTests(text, pkg string) []Test {
	var tests []Test
	for _, f := range paragraphs(text) {
		t := Test{Depends: []string{pkg}, Restrictions: words(f["restrictions"])}
		if depends, given := f["depends"]; given {
			t.Depends = packagesOf(depends, pkg)
		}
		dir := "debian/tests"
		if own := f["tests-directory"]; own != "" {
			dir = path.Clean(own)
		}
		for _, name := range words(f["tests"]) {
			t.Name, t.Command = name, "./"+path.Join(dir, name)
			tests = append(tests, t)
		}
		if t.Command = f["test-command"]; t.Command != "" {
			t.Name = fmt.Sprintf("command%d", len(tests)+1)
			for _, word := range words(f["features"]) {
				if name, ok := strings.CutPrefix(word, "test-name="); ok {
					t.Name = name
				}
			}
			tests = append(tests, t)
		}
	}
	return tests
}

// paragraphs reads a file in Debian's control format; deb822(5). The names of fields are in lower case.
func paragraphs(text string) []map[string]string {
	var list []map[string]string
	var fields map[string]string
	last := ""
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), " \t\r")
		name, value, isField := strings.Cut(line, ":")
		switch {
		case line == "":
			fields = nil
		case line[0] == '#':
		case line[0] == ' ' || line[0] == '\t':
			if fields != nil {
				fields[last] += "\n" + strings.TrimSpace(line)
			}
		case isField:
			if fields == nil {
				fields = map[string]string{}
				list = append(list, fields)
			}
			last = strings.ToLower(name)
			fields[last] = strings.TrimSpace(value)
		}
	}
	return list
}

// words are the parts of a list that commas or white space separate.
func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(", \t\n", r) })
}

// packagesOf are the names in a list of dependencies: the first of each alternative, without version and architecture.
func packagesOf(depends, pkg string) []string {
	names := []string{pkg}
	for part := range strings.SplitSeq(depends, ",") {
		part, _, _ = strings.Cut(part, "|")
		name, _, _ := strings.Cut(strings.TrimSpace(part), " ")
		name, _, _ = strings.Cut(name, "(")
		name, _, _ = strings.Cut(name, ":")
		if name != "" && !strings.HasPrefix(name, "@") && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
