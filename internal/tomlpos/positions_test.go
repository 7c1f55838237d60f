package tomlpos_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"

	"temper/internal/tomlpos"
)

// locate returns the lines alone.
func locate(doc string) (map[string]int, int) {
	found, deep := tomlpos.Locate(doc)
	lines := map[string]int{}
	for path, at := range found {
		lines[path] = at.Line
	}
	return lines, deep
}

// FuzzLocate: the scanner finds each key that the TOML library finds, never calls a shallow document deep, and the
// other way round nothing that the library reads is deeper than the scanner says.
func FuzzLocate(f *testing.F) {
	for _, s := range []string{
		"a = '''\n[x]\n'''\nb = 1", `a = """\"""" # " ]` + "\nb = 2", `"a.b" = { c = [1, {d = "}"}], 'e' = 1 }`,
		"[[a]]\n[a.b]\nc=1\n[[a]]\n[a.b]\nc=2",
		"a = [ # ]\n 1,\n 2 ]\n[b]\r\nc = 1979-05-27 07:32:00Z # x", "a = \"\"\"\"\"x\"\"\"\"\"\nb = 1",
		"\"\\u0061\" = 1\nA.'b c'.d = 2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if len(doc) > 64<<10 || strings.HasPrefix(doc, "\ufeff") {
			return
		}
		lines, deep := locate(doc)
		if deep > 0 {
			return
		}
		var values map[string]any
		meta, err := toml.Decode(doc, &values)
		if err != nil {
			return
		}
		for _, key := range meta.Keys() {
			if len(key) > tomlpos.MaxDepth {
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

func TestLocate(t *testing.T) {
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
	got, deep := locate(doc)
	want := map[string]int{
		"a": 1, "b": 2, "b.c": 2, "b.c[0]": 3, "b.c[1]": 3, "b.c[2]": 4, "b.c[2].d": 4, "b.c[2].e": 5,
		"check": 7, "check[0]": 7, "check[0].f": 8, "check[0].f.g": 8, "check[0].h": 9, "check[0].h.i": 10,
		"check[1]": 11, "check[1].h": 12, "check[1].h.i": 13,
	}
	if diff := cmp.Diff(want, got); diff != "" || deep != 0 {
		t.Errorf("deep %d, -want +got\n%s", deep, diff)
	}
}

func TestPositions(t *testing.T) {
	keys, _ := tomlpos.Locate("a = [1, 2]\n[secrets]\n\"/etc/x.y\" = []\n[[check]]\n[[check]]\nb = 1\n[[check]]\n" +
		"b = 2\n")
	for path, want := range map[string]int{
		"a[1]": 1, "a[7]": 1, "secrets./etc/x.y": 3, "secrets./etc/z": 2, "check[1].b": 6, "check[1].c": 5,
		"nowhere": 1,
	} {
		if got := keys.Of(path).Line; got != want {
			t.Errorf("%s: line %d, want %d", path, got, want)
		}
	}
	for key, want := range map[string]int{"check.b": 6, "secrets./etc/x.y": 3, "nowhere": 1} {
		if got := keys.OfKey(strings.SplitN(key, ".", 2)...).Line; got != want {
			t.Errorf("%s: line %d, want %d", key, got, want)
		}
	}
}
