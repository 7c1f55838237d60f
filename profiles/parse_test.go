package profiles_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"temper/internal/directive"
	"temper/internal/host"
	"temper/profiles"
)

// seeds returns every profile of the library and of the archives in testdata.
func seeds(t testing.TB) (all [][]byte) {
	err := fs.WalkDir(profiles.Library(), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			data, err := fs.ReadFile(profiles.Library(), name)
			all = append(all, data)
			return err
		}
		return err
	})
	archives, globErr := filepath.Glob("testdata/*/*.txtar")
	if err := errors.Join(err, globErr); err != nil || len(archives) == 0 {
		t.Fatal(err, archives)
	}
	for _, file := range archives {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if strings.HasSuffix(f.Name, ".toml") {
				all = append(all, f.Data)
			}
		}
	}
	return all
}

// FuzzParse: whatever is in a file, it is read in no time, each finding stands on a line that the file has, in one line of
// text, and what is loaded without a finding can be written to a drop-in and run.
func FuzzParse(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, findings := profiles.Parse(data)
		for _, finding := range findings {
			if n := strings.Count(string(data), "\n") + 1; finding.Line < 0 || finding.Line > n {
				t.Errorf("%v: there are %d lines", finding, n)
			}
			if s := finding.Error(); strings.ContainsFunc(s, unicode.IsControl) || finding.ID == "" {
				t.Errorf("finding %q of %q", s, finding.ID)
			}
		}
		if len(findings) > 0 {
			return
		}
		for _, s := range p.Service {
			d, ok := directive.Lookup(s.Name)
			if !ok || len(s.Values) == 0 {
				t.Fatalf("%s = %q", s.Name, s.Values)
			}
			if err := d.Check(s.Values); err != nil {
				t.Error(err)
			}
			for _, v := range s.Values {
				if strings.ContainsFunc(v, unicode.IsControl) || strings.HasSuffix(v, `\`) || v != strings.TrimSpace(v) {
					t.Errorf("%s = %q", s.Name, v)
				}
			}
		}
		checkChecks(t, p)
		for _, s := range slices.Concat(p.Units, p.Secrets, p.SecretsFor, p.Extends, []string{p.Description}) {
			if strings.ContainsFunc(s, unicode.IsControl) {
				t.Errorf("%q holds a control character", s)
			}
		}
	})
}

func checkChecks(t *testing.T, p *profiles.Profile) {
	names := map[string]bool{}
	for _, c := range p.Checks {
		if c.Kind() == "" || c.Name == "" || names[c.Name] || c.Timeout <= 0 || c.Retry < 0 || c.Pos.Line < 1 {
			t.Errorf("check %+v", c)
		}
		names[c.Name] = true
		if c.Exec != nil && (len(c.Exec.Command) == 0 || c.Exec.Command[0] == "") {
			t.Errorf("check without command: %+v", c.Exec)
		}
	}
}

// FuzzLines: the scanner finds each key that the TOML library finds, never calls a shallow document deep, and the other
// way round nothing that the library reads is deeper than the scanner says.
func FuzzLines(f *testing.F) {
	for _, data := range seeds(f) {
		f.Add(string(data))
	}
	for _, s := range []string{
		"a = '''\n[x]\n'''\nb = 1", `a = """\"""" # " ]` + "\nb = 2", `"a.b" = { c = [1, {d = "}"}], 'e' = 1 }`, "[[a]]\n[a.b]\nc=1\n[[a]]\n[a.b]\nc=2",
		"a = [ # ]\n 1,\n 2 ]\n[b]\r\nc = 1979-05-27 07:32:00Z # x", "a = \"\"\"\"\"x\"\"\"\"\"\nb = 1", "\"\\u0061\" = 1\nA.'b c'.d = 2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if len(doc) > profiles.MaxSize || strings.HasPrefix(doc, "\ufeff") {
			return
		}
		lines, deep := profiles.Lines(doc)
		if deep > 0 {
			return
		}
		var values map[string]any
		meta, err := toml.Decode(doc, &values)
		if err != nil {
			return
		}
		for _, key := range meta.Keys() {
			if len(key) > 16 {
				t.Errorf("%v is deep", key)
			}
		}
		walk(t, lines, "", values)
	})
}

// walk looks up the line of every value of a document.
func walk(t *testing.T, lines map[string]int, path string, value any) {
	if _, ok := lines[path]; !ok && path != "" && !strings.ContainsAny(path, "\\\"'\x1b") {
		t.Errorf("no line for %q in %v", path, lines)
	}
	switch v := value.(type) {
	case map[string]any:
		for key, sub := range v {
			if path != "" {
				key = path + "." + key
			}
			walk(t, lines, key, sub)
		}
	case []map[string]any:
		for i, sub := range v {
			walk(t, lines, fmt.Sprintf("%s[%d]", path, i), sub)
		}
	case []any:
		for i, sub := range v {
			walk(t, lines, fmt.Sprintf("%s[%d]", path, i), sub)
		}
	}
}

func TestLines(t *testing.T) {
	doc := `a = 1
"b" . c = [ # one [
  1, """
]""", { d = 2,
 e = 'x' } ]

[[check]]
f.g = 1
[check.h]
i = 2
[[check]] # "
[check.h]
i = 3
`
	got, deep := profiles.Lines(doc)
	want := map[string]int{
		"a": 1, "b": 2, "b.c": 2, "b.c[0]": 3, "b.c[1]": 3, "b.c[2]": 4, "b.c[2].d": 4, "b.c[2].e": 5,
		"check": 7, "check[0]": 7, "check[0].f": 8, "check[0].f.g": 8, "check[0].h": 9, "check[0].h.i": 10,
		"check[1]": 11, "check[1].h": 12, "check[1].h.i": 13,
	}
	if diff := cmp.Diff(want, got); diff != "" || deep != 0 {
		t.Errorf("deep %d, -want +got\n%s", deep, diff)
	}
}

// What took the TOML library minutes and gigabytes is refused at once.
func TestHostile(t *testing.T) {
	const n = profiles.MaxSize
	for about, doc := range map[string]string{
		"brackets":     "a = " + strings.Repeat("[", n-10),
		"closed":       "a = " + strings.Repeat("[", n/2-10) + strings.Repeat("]", n/2-10),
		"inline":       "a = " + strings.Repeat("{a=", n/3-10),
		"dotted":       strings.Repeat("a.", n/2-10) + "a = 1",
		"header":       "[" + strings.Repeat("a.", n/2-10) + "a]",
		"split header": strings.Repeat("[a.b.c.d.e.f.g.h.i.j.k.l]\nm.n.o.p.q = 1\n", 100),
		"tables":       strings.Repeat("[[check]]\n", n/10-1),
		"no key":       strings.Repeat("=\n", n/2-10),
		"quotes":       strings.Repeat(`"`, n-10),
		"not UTF-8":    strings.Repeat("\xff", n-10),
		"NULs":         strings.Repeat("\x00", n-10),
		"keys":         "[service]\n" + strings.Repeat("x", n-100) + " = 1",
	} {
		t.Run(about, func(t *testing.T) {
			start := time.Now()
			if _, findings := profiles.Parse([]byte(doc)); len(findings) == 0 {
				t.Error("was read")
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// TestExtendsLaws builds random profiles that extend earlier ones. What results must be what one gets by writing down the
// settings of all sources in order, the last one of a directive counting, and a source counts once.
func TestExtendsLaws(t *testing.T) {
	names := []string{"PrivateTmp", "NoNewPrivileges", "LockPersonality", "RestrictRealtime"}
	rapid.Check(t, func(rt *rapid.T) {
		own, files := map[string]map[string]bool{}, map[string]string{}
		n := rapid.IntRange(1, 6).Draw(rt, "profiles")
		for i := range n {
			name := fmt.Sprintf("p%d", i)
			own[name] = rapid.MapOf(rapid.SampledFrom(names), rapid.Bool()).Draw(rt, name)
			files[name+".toml"] = "extends = ["
			for _, base := range rapid.SliceOfDistinct(rapid.IntRange(0, 5), rapid.ID).Draw(rt, "bases of "+name) {
				if base < i {
					files[name+".toml"] += fmt.Sprintf("'p%d', ", base)
				}
			}
			files[name+".toml"] += "]\n[service]\n"
			for _, s := range slices.Sorted(maps.Keys(own[name])) {
				files[name+".toml"] += fmt.Sprintf("%s = %t\n", s, own[name][s])
			}
		}
		set := setOf(t, files)
		for _, p := range set.All() {
			want := map[string]bool{}
			if sources := slices.Sorted(slices.Values(p.Sources)); len(slices.Compact(sources)) != len(p.Sources) {
				rt.Errorf("%s: sources %q", p.Name, p.Sources)
			}
			for _, source := range p.Sources {
				maps.Copy(want, own[strings.TrimSuffix(filepath.Base(source), ".toml")])
			}
			got := map[string]bool{}
			for _, s := range p.Service {
				got[s.Name] = s.Values[0] == "yes"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				rt.Errorf("%s: %s", p.Name, diff)
			}
		}
	})
}

// BenchmarkLoad reads 60 profiles like that of nginx and the bases that they extend.
func BenchmarkLoad(b *testing.B) {
	root := b.TempDir()
	err := fs.WalkDir(profiles.Library(), "base", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := fs.ReadFile(profiles.Library(), name)
		write(b, filepath.Join(root, dir, name), string(data))
		return err
	})
	data, readErr := fs.ReadFile(profiles.Library(), "nginx.toml")
	if err := errors.Join(err, readErr); err != nil {
		b.Fatal(err)
	}
	for i := range 60 {
		write(b, filepath.Join(root, dir, fmt.Sprintf("nginx%d.toml", i)), string(data))
	}
	b.ReportAllocs()
	for b.Loop() {
		set, errs := profiles.Load(host.At(root), nil)
		if len(errs) > 0 || len(set.All()) != 64 {
			b.Fatal(errs)
		}
	}
}
