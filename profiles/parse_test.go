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

// FuzzParse: whatever is in a file, it is read in no time, each finding stands on a line that the file has, in one
// line of text, and what is loaded without a finding can be written to a drop-in and run.
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
				if strings.ContainsFunc(v, unicode.IsControl) || strings.HasSuffix(v, `\`) ||
					v != strings.TrimSpace(v) {
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

// TestExtendsLaws builds random profiles that extend earlier ones. What results must be what one gets by writing down
// the settings of all sources in order, the last one of a directive counting, and a source counts once.
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

// TestSend: a check can send any byte, and text is sent as it is.
func TestSend(t *testing.T) {
	for value, want := range map[string]string{
		`'\x00\xff'`:         "\x00\xff",
		`"\x00\u0000"`:       "\x00\x00",
		`"\\xfe\n"`:          "\xfe\n",
		`"PING\r\n"`:         "PING\r\n",
		`'\x0g \x \\x41'`:    `\x0g \x \A`,
		`"\xff is a letter"`: "ÿ is a letter",
	} {
		for _, kind := range []string{
			"tcp = { address = '127.0.0.1:1', ", "udp = { address = '127.0.0.1:1', ",
			"unix = { path = '/run/a', ",
		} {
			p, findings := profiles.Parse([]byte("units = ['a.service']\n[[check]]\nname = 'a'\n" + kind + "send = " +
				value + " }\n"))
			if len(findings) > 0 {
				t.Errorf("%s%s: %v", kind, value, findings)
				continue
			}
			c := p.Checks[0]
			for _, s := range []*profiles.StreamCheck{c.TCP, c.UDP, c.Unix} {
				if s != nil && s.Send != want {
					t.Errorf("%s%s sends %q, want %q", kind, value, s.Send, want)
				}
			}
		}
	}
	_, findings := profiles.Parse([]byte("units = ['a.service']\n[[check]]\nname = 'a'\n" +
		"http = { url = 'http://a/', body = \"\\u0000\" }\n"))
	if len(findings) == 0 {
		t.Error("a pattern can hold a NUL character")
	}
}
