package generator_test

import (
	"bytes"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/verdict"
)

var update = flag.Bool("update", false, "rewrite the expectations of testdata/tree")

// Every directory of testdata/tree is a small root; its expect is what the generator must write and its log what it
// must say. In verdicts, @UNIT@ and @PROFILE@ stand for the fingerprint that fits.
func TestTree(t *testing.T) {
	dirs, err := filepath.Glob("testdata/tree/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no trees: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			root := copyTree(t, dir)
			first, log := run(t, root)
			again, _ := run(t, root)
			if diff := cmp.Diff(first, again); diff != "" {
				t.Errorf("the second run differs:\n%s", diff)
			}
			if *update {
				writeExpectation(t, dir, first, log)
			}
			if diff := cmp.Diff(readTree(t, filepath.Join(dir, "expect")), first); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			delete(first, generator.NeedsProofFile) // only a boot asks for proofs
			if diff := cmp.Diff(decided(t, root), first); diff != "" {
				t.Errorf("a boot, which reads less, writes something else (-decided +written):\n%s", diff)
			}
			want, _ := os.ReadFile(filepath.Join(dir, "log")) // none: nothing is said
			if diff := cmp.Diff(string(want), log); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// run generates and returns the files with their content, and what was said.
func run(t *testing.T, root string) (map[string]string, string) {
	t.Helper()
	out := t.TempDir()
	if ready.Copy(root, out) { // as temper-generator does, and temper-decide does the rest
		return readTree(t, out), ""
	}
	r := generator.Run(host.At(root), "", out)
	var log strings.Builder
	if r.Off != "" {
		fmt.Fprintf(&log, "off: %s\n", r.Off)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(&log, strings.ReplaceAll(p.Error(), out, "OUT"))
	}
	return readTree(t, out), log.String()
}

// decided returns the drop-ins that are decided when every profile is read, as [run] does.
func decided(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	g, _, err := generator.New(host.At(root), "")
	if err != nil || g.Switches.Off != "" {
		return files
	}
	decisions, _ := g.Decisions()
	for _, d := range decisions {
		if d.Text != "" {
			files[d.Unit+".d/"+generator.Dropin] = d.Text
		}
	}
	return files
}

func copyTree(t *testing.T, dir string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	g, _, err := generator.New(host.At(root), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, store := range verdict.Dirs {
		files, _ := filepath.Glob(filepath.Join(root, store, "*.json"))
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				continue // a link to nowhere
			}
			if err := os.WriteFile(file, fillIn(t, g, data, strings.TrimSuffix(filepath.Base(file), ".json")),
				0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// fillIn puts the fingerprint that a unit has into a verdict.
func fillIn(t *testing.T, g *generator.Generator, data []byte, name string) []byte {
	t.Helper()
	if !bytes.Contains(data, []byte("@UNIT@")) && !bytes.Contains(data, []byte("@PROFILE@")) {
		return data
	}
	u, err := g.Units.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	p, named := g.Profiles.For(u)
	in := generator.Input{Unit: u, Profile: p, Named: named, Secrets: g.Profiles.SecretsFor(generator.NamesOf(u)...)}
	f, err := verdict.Take(g.Root, u, in.Digest(), g.Version)
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("@UNIT@"), []byte(f.Unit))
	return bytes.ReplaceAll(data, []byte("@PROFILE@"), []byte(f.Profile))
}

func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(file)
		name, _ := filepath.Rel(dir, file)
		files[name] = string(data)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

func writeExpectation(t *testing.T, dir string, files map[string]string, log string) {
	t.Helper()
	expect := filepath.Join(dir, "expect")
	if err := os.RemoveAll(expect); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(dir, "log"))
	if log != "" {
		files = mapsWith(files, "../log", log)
	}
	for name, text := range files {
		file := filepath.Join(expect, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func mapsWith(m map[string]string, name, text string) map[string]string {
	c := map[string]string{name: text}
	for k, v := range m {
		c[k] = v
	}
	return c
}
