package profiles_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

// What a machine's units get does not depend on whether the profiles of other units are read.
func TestLoadAboutIsLoad(t *testing.T) {
	installed := []string{"a.service", "b-x.service", "c@.service", "c@1.service"}
	patterns := append(slices.Clone(installed),
		"gone.service", "gone@.service", "c@2.service", "b-*.service", "[!a].service", "*@1.service")
	bases := []string{"base/plain", "base/secret", "p0", "p1", "p2", "missing"}
	rapid.Check(t, func(t *rapid.T) {
		root, err := os.MkdirTemp("", "load-about-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(root)
		write := func(dir, name, text string) {
			file := filepath.Join(root, dir, name+".toml")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		const shipped, own = "usr/lib/temper/profiles.d", "etc/temper/profiles.d"
		write(shipped, "base/plain", "[service]\nPrivateTmp = true\n")
		write(shipped, "base/secret", "extends = [\"base/plain\"]\nsecrets = [\"/etc/base\"]\n")
		for i := range 4 {
			for _, dir := range []string{shipped, own} {
				if rapid.Bool().Draw(t, "is there") {
					write(dir, fmt.Sprintf("p%d", i), drawProfile(t, patterns, bases))
				}
			}
		}
		if rapid.IntRange(0, 4).Draw(t, "masked") == 0 {
			write(own, "p0", "")
			file := filepath.Join(root, own, "p0.toml")
			if os.Remove(file) != nil || os.Symlink("/dev/null", file) != nil {
				t.Fatal("no mask")
			}
		}
		all, _ := profiles.Load(host.At(root), nil)
		about, _ := profiles.LoadAbout(host.At(root), nil, installed)
		for _, name := range append(slices.Clone(installed), "c@3.service") {
			u := &unit.Unit{Name: name, ID: name}
			want, wantNamed := all.For(u)
			got, named := about.For(u)
			if diff := cmp.Diff(want, got); diff != "" || named != wantNamed {
				t.Fatalf("%s (-all +about):\n%s", name, diff)
			}
			if diff := cmp.Diff(all.SecretsFor(name), about.SecretsFor(name)); diff != "" {
				t.Fatalf("secrets for %s (-all +about):\n%s", name, diff)
			}
		}
		for _, pattern := range all.Patterns() {
			if !slices.Contains(about.Patterns(), pattern) {
				t.Fatalf("a unit of the pattern %s that appears later would not be noticed", pattern)
			}
		}
	})
}

// drawProfile writes a profile that may be wrong.
func drawProfile(t *rapid.T, patterns, bases []string) string {
	list := func(key string, from []string, most int) string {
		picked := rapid.SliceOfNDistinct(rapid.SampledFrom(from), 0, most, rapid.ID).Draw(t, key)
		if len(picked) == 0 {
			return ""
		}
		return fmt.Sprintf("%s = [\"%s\"]\n", key, strings.Join(picked, "\", \""))
	}
	rest := []string{
		"", "[service]\nProtectHome = true\n", "[service]\nProtectHom = true\n", "[service\n", "units = 5\n",
		"[[check]]\nname = \"x\"\nexec = [\"true\"]\n",
		"\n[service]\nPrivateTmp = false\n\n[prove]\nsettle = \"2s\"\n",
	}
	return list("units", patterns, 2) + list("extends", bases, 2) +
		list("secrets", []string{"/etc/one", "/etc/two"}, 1) + list("secrets_for", patterns, 1) +
		rapid.SampledFrom(rest).Draw(t, "rest")
}
