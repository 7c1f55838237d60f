package unit_test

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"temper/internal/unit"
)

var (
	sameUnit   = cmpopts.IgnoreUnexported(unit.Unit{})
	placeless  = cmpopts.IgnoreFields(unit.Assignment{}, "Pos")
	noNilSlice = cmpopts.EquateEmpty()
)

var assignments = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) unit.Assignment {
	return unit.Assignment{
		Section: rapid.StringMatching(`[A-Za-z -]{0,8}`).Draw(t, "section"),
		Name:    rapid.StringMatching(`[A-Za-z\\][A-Za-z \\]{0,6}[A-Za-z]`).Draw(t, "name"),
		Value:   strings.Trim(rapid.StringMatching(`[a-z"'\\ \t=#;\[\]%ä]{0,12}`).Draw(t, "value"), " \t"),
	}
}), 0, 12)

// dropins are texts of drop-ins by base name.
var dropins = rapid.MapOfN(rapid.StringMatching(`[0-9a-z-]{1,3}\.conf`), assignments, 0, 5)

func TestTextIsParsedBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := assignments.Draw(t, "assignments")
		got, problems, err := unit.Parse("f", strings.NewReader(unit.Text(want)))
		if err != nil || len(problems) > 0 {
			t.Fatalf("%v, %v in:\n%s", err, problems, unit.Text(want))
		}
		if d := cmp.Diff(want, got, placeless, noNilSlice); d != "" {
			t.Fatalf("(-want +got):\n%s\nof:\n%s", d, unit.Text(want))
		}
	})
}

func TestWithoutUndoesWith(t *testing.T) {
	base := web(t)
	rapid.Check(t, func(t *rapid.T) {
		u := base
		for name, as := range dropins.Draw(t, "others") {
			u = must(t)(u.Without(name).With("/o/"+name, unit.Text(as)))
		}
		name := rapid.StringMatching(`[0-9a-z-]{1,3}\.conf`).Draw(t, "name")
		u = u.Without(name)
		added := must(t)(u.With("/new/"+name, unit.Text(assignments.Draw(t, "added"))))
		if d := cmp.Diff(u, added.Without(name), sameUnit, noNilSlice); d != "" {
			t.Fatalf("(-before +after):\n%s", d)
		}
	})
}

func TestWithInAnyOrder(t *testing.T) {
	base := web(t).Without("10-a.conf").Without("60-b.conf").Without("70-m.conf")
	rapid.Check(t, func(t *rapid.T) {
		texts := dropins.Draw(t, "drop-ins")
		names := rapid.Permutation(keys(texts)).Draw(t, "order")
		u := base
		for _, name := range names {
			u = must(t)(u.With("/d/"+name, unit.Text(texts[name])))
		}
		var want []string
		values := unit.Text(base.Assignments)
		for _, name := range keys(texts) {
			want = append(want, "/d/"+name)
			values += "\n" + unit.Text(texts[name])
		}
		if d := cmp.Diff(want, u.Dropins, noNilSlice); d != "" {
			t.Fatalf("drop-ins (-want +got):\n%s", d)
		}
		all, _, err := unit.Parse("", strings.NewReader(values))
		if d := cmp.Diff(all, u.Assignments, placeless, noNilSlice); d != "" || err != nil {
			t.Fatalf("assignments %v (-want +got):\n%s", err, d)
		}
	})
}

// TestLoadEqualsWith puts drop-ins on disk, in directories of any rank, and expects what With makes of the winners.
func TestLoadEqualsWith(t *testing.T) {
	dirs := []string{ // highest rank first
		"/etc/systemd/system/a-b.service.d", "/etc/systemd/system/a-.service.d", "/run/systemd/system/a-b.service.d",
		"/usr/lib/systemd/system/a-b.service.d", "/usr/lib/systemd/system/a-.service.d",
		"/run/systemd/generator.late/a-b.service.d",
		"/etc/systemd/system/service.d", "/usr/lib/systemd/system/service.d",
	}
	const fragment = "/usr/lib/systemd/system/a-b.service"
	rapid.Check(t, func(rt *rapid.T) {
		files := map[string]string{fragment: webUnit}
		winners := map[string]string{}
		for _, dir := range rapid.SliceOfN(rapid.SampledFrom(dirs), 0, 6).Draw(rt, "directories") {
			for name, as := range dropins.Draw(rt, "files") {
				full := path.Join(dir, name)
				files[full] = unit.Text(as)
				if have, ok := winners[name]; !ok || slices.Index(dirs, dir) < slices.Index(dirs, path.Dir(have)) {
					winners[name] = full
				}
			}
		}
		got, err := (&unit.Loader{Root: plant(t, files)}).Load("a-b.service")
		if err != nil {
			rt.Fatal(err)
		}
		want, err := (&unit.Loader{Root: plant(t, map[string]string{fragment: webUnit})}).Load("a-b.service")
		if err != nil {
			rt.Fatal(err)
		}
		for _, name := range keys(winners) {
			want = must(rt)(want.With(winners[name], files[winners[name]]))
		}
		if d := cmp.Diff(want, got, sameUnit, noNilSlice); d != "" {
			rt.Fatalf("(-With +Load):\n%s", d)
		}
	})
}

func TestWordsUndoQuoting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(rapid.StringMatching(`[a-c"'\\ \tä]{0,5}`)).Draw(t, "words")
		var quoted []string
		for _, w := range want {
			quoted = append(quoted, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w)+`"`)
		}
		got, err := unit.Words(strings.Join(quoted, " "))
		if d := cmp.Diff(want, got, noNilSlice); d != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, d)
		}
	})
}

func TestEscapeIsUndone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		e := unit.Escape(s)
		if back, err := unit.Unescape(e); back != s || err != nil {
			t.Fatalf("Unescape(%q) = %q, %v; want %q", e, back, err, s)
		}
		if s != "" && len(e) < 200 && !unit.ValidName(e+".service") {
			t.Fatalf("%q makes no unit name", e)
		}
	})
}

func TestExpandNamesFirst(t *testing.T) {
	units := named(t, 0)
	rapid.Check(t, func(rt *rapid.T) {
		u := units[rapid.SampledFrom([]string{"instance", "plain", "percent"}).Draw(rt, "unit")]
		value := rapid.StringMatching(`[a%nNpPiIjJfyYtSZ -]{0,12}`).Draw(rt, "value")
		want, wantErr := u.Expand(value)
		got, err := u.Expand(u.ExpandNames(value))
		if got != want || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			rt.Fatalf("%q by way of %q: %q, %v; want %q, %v", value, u.ExpandNames(value), got, err, want, wantErr)
		}
	})
}

func keys[V any](m map[string]V) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func must(t rapid.TB) func(*unit.Unit, error) *unit.Unit {
	return func(u *unit.Unit, err error) *unit.Unit {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
}
