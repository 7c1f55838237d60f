package temper_test

import (
	"bufio"
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fzipp/gocyclo"
)

// What a stranger can still read at once.
const (
	maxFiles      = 12  // of a package, tests and generated tables aside
	maxLines      = 60  // of a function
	maxComplexity = 15  // of a function, cyclomatic
	maxColumns    = 120 // of a line; a tab counts as four
)

// tracked lists the files of the tree whose names end so.
func tracked(t *testing.T, suffixes ...string) []string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		t.Fatalf("git ls-files: %v", err)
	}
	var names []string
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		if _, err := os.Stat(name); err != nil {
			continue // removed, and not committed yet
		}
		if slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(name, s) }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("no file ends in %q", suffixes)
	}
	return names
}

// isGenerated reports whether a program writes the file.
func isGenerated(name string) bool { return strings.HasPrefix(path.Base(name), "zz_") }

func TestHousePackagesAreSmall(t *testing.T) {
	count := map[string]int{}
	for _, name := range tracked(t, ".go") {
		if !strings.HasSuffix(name, "_test.go") && !isGenerated(name) {
			count[path.Dir(name)]++
		}
	}
	for dir, n := range count {
		if n > maxFiles && dir != "cmd/temper" { // which has one file for each verb
			t.Errorf("%s has %d files, want at most %d: split it by noun", dir, n, maxFiles)
		}
	}
}

func TestHouseFunctionsAreSmall(t *testing.T) {
	for _, name := range tracked(t, ".go") {
		if strings.HasSuffix(name, "_test.go") || isGenerated(name) {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			from, to := fset.Position(f.Pos()), fset.Position(f.End())
			if lines := to.Line - from.Line + 1; lines > maxLines {
				t.Errorf("%s: %s has %d lines, want at most %d", from, f.Name, lines, maxLines)
			}
		}
		for _, s := range gocyclo.AnalyzeASTFile(file, fset, nil) {
			if s.Complexity > maxComplexity {
				t.Errorf("%s: %s has complexity %d, want at most %d", s.Pos, s.FuncName, s.Complexity, maxComplexity)
			}
		}
	}
}

// TestHouseLinesAreShort: only what cannot be broken may be longer: an address, a row of a table or a drawing in
// Markdown, and in Go raw strings and string literals that alone fill most of their line.
func TestHouseLinesAreShort(t *testing.T) {
	unbreakable := map[string]*regexp.Regexp{
		".go": regexp.MustCompile("https?://|`|\"[^\"]{80,}"),
		".md": regexp.MustCompile(`https?://|^\s*\||[─►]`),
		".sh": regexp.MustCompile(`https?://`),
	}
	for _, name := range tracked(t, ".go", ".sh", "README.md", "architecture.md", "SECURITY.md", "CONTRIBUTING.md",
		"CHANGELOG.md") {
		if isGenerated(name) || strings.Contains(name, "testdata/") || strings.HasSuffix(name, "report_test.go") ||
			strings.HasSuffix(name, "example_test.go") { // these have what is printed, as it is printed
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		inRaw := false
		scanner := bufio.NewScanner(bytes.NewReader(data))
		for n := 1; scanner.Scan(); n++ {
			line := strings.ReplaceAll(scanner.Text(), "\t", "    ")
			if len([]rune(line)) > maxColumns && !inRaw && !unbreakable[path.Ext(name)].MatchString(line) {
				t.Errorf("%s:%d: more than %d columns", name, n, maxColumns)
			}
			inRaw = inRaw != (path.Ext(name) == ".go" && strings.Count(line, "`")%2 == 1)
		}
	}
}

// TestHouseArchitecture: docs/architecture.md has a row for each package, and no row for one that is gone.
func TestHouseArchitecture(t *testing.T) {
	const page = "docs/architecture.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	if len(documented) == 0 {
		t.Fatalf("%s: no table of packages", page)
	}
	var packages []string
	for _, name := range tracked(t, ".go") {
		dir := filepath.Dir(name)
		if !strings.HasSuffix(name, "_test.go") && !slices.Contains(packages, dir) {
			packages = append(packages, dir)
		}
	}
	for _, dir := range packages {
		if !slices.Contains(documented, dir) {
			t.Errorf("%s does not name the package %s", page, dir)
		}
	}
	for _, dir := range documented {
		if !slices.Contains(packages, dir) {
			t.Errorf("%s names %s, where no Go package is", page, dir)
		}
	}
}
