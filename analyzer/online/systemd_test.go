package online_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/analyzer/exposure"
	"temper/analyzer/online"
	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/offline"
	"temper/internal/testroot"
)

// line is one row of the overview of systemd-analyze.
type line struct {
	Unit, Exposure, Predicate string
}

// TestSystemdOnline compares the scores of running managers: all loaded services, and, row by row, a part of the
// analyzer's golden archive with all units where a manager is known to count differently.
func TestSystemdOnline(t *testing.T) {
	t.Parallel()
	for name, version := range testroot.Versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, units := boot(t, name)
			o := exposure.Options{Version: version, Arch: "x86_64"}
			compareOverview(t, p, o)
			compareUnits(t, p, o, units)
		})
	}
}

// counted are the units with addresses, with errors in filters of system calls, and with mounts of their own.
var counted = regexp.MustCompile(`^(x-ip-|x-sf-1|t-pmounts|x-pm)`)

// notText has a command line that is not UTF-8: 247 falls off the bus when it is asked for it.
const notText = "x-exec-utf8.service"

// boot starts a tree with the units of the golden archive in /etc, templates and drop-ins of templates left out.
func boot(t *testing.T, name string) (*place.Place, []string) {
	t.Helper()
	archive, err := txtar.ParseFile("../../internal/offline/testdata/golden.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var files []place.File
	var units []string
	for _, f := range archive.Files {
		if strings.Contains(f.Name, "@") || f.Name == notText {
			continue
		}
		files = append(files, place.File{Name: "/etc/systemd/system/" + f.Name, Data: f.Data})
		if strings.HasSuffix(f.Name, ".service") && (len(files)%7 == 0 || counted.MatchString(f.Name)) {
			units = append(units, f.Name)
		}
	}
	p, err := place.Container(t.Context(),
		place.Options{Image: testroot.Path(t, name), ID: "online" + name, Files: files})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, units
}

// analyze runs the place's own systemd-analyze, which exits with 1 where a unit is not loaded.
func analyze(t *testing.T, p *place.Place, args ...string) string {
	t.Helper()
	r, err := p.Run(t.Context(), place.Command{
		Args:    append([]string{"systemd-analyze", "security", "--no-pager"}, args...),
		Env:     []string{"COLUMNS=1000", "SYSTEMD_COLORS=0", "SYSTEMD_URLIFY=0", "LANG=C.UTF-8"},
		Timeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.Stdout
}

func compareOverview(t *testing.T, p *place.Place, o exposure.Options) {
	t.Helper()
	services, err := online.Services(t.Context(), p.Manager(), o)
	if err != nil {
		t.Fatal(err)
	}
	var got []line
	for _, s := range services {
		r, err := exposure.Assess(s, o)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line{r.Unit, exposure.Points(r.Exposure), r.Level})
	}
	var want []line
	row := regexp.MustCompile(`(?m)^(\S+\.service) +(\S+) +([A-Z]+)`)
	for _, m := range row.FindAllStringSubmatch(analyze(t, p), -1) {
		want = append(want, line{m[1], m[2], m[3]})
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
		t.Errorf("the overview of systemd (-) and temper (+):\n%s", diff)
	}
}

// compareUnits compares units that are not running; systemd loads them for the answer.
func compareUnits(t *testing.T, p *place.Place, o exposure.Options, units []string) {
	t.Helper()
	parse, print := jsonTables, jsonRows
	args := append([]string{"--json=short"}, units...)
	if o.Before(exposure.SinceOffline) {
		parse, print = textTables, textRows
		args = args[1:]
	}
	want := parse(t, analyze(t, p, args...))
	for _, unit := range units {
		r, err := online.Score(t.Context(), p.Manager(), unit, o)
		theirs, ok := want[unit]
		if (err == nil) != ok {
			t.Errorf("%s: temper: %v, systemd scores it: %v", unit, err, ok)
		}
		if err != nil || !ok {
			continue
		}
		if diff := cmp.Diff(theirs, print(t, r)); diff != "" {
			t.Errorf("%s: systemd (-) and temper (+):\n%s", unit, diff)
		}
	}
	if o.Before(exposure.SinceOffline) {
		compareFiles(t, p, o, units, want)
	}
	if len(want) < len(units)/2 {
		t.Errorf("systemd scored %d of %d units", len(want), len(units))
	}
}

// compareFiles compares what the unit files amount to. A systemd without --offline says so only of loaded units.
func compareFiles(t *testing.T, p *place.Place, o exposure.Options, units []string, want map[string][]string) {
	t.Helper()
	for u, err := range (offline.Source{Root: p.Root(), Version: o.Version}).Named(units) {
		if err != nil {
			t.Error(err)
			continue
		}
		r, err := offline.Score(u, o)
		theirs, ok := want[u.ID]
		if (err == nil) != ok {
			t.Errorf("%s: temper: %v, systemd scores it: %v", u.Name, err, ok)
		}
		if err != nil || !ok {
			continue
		}
		if diff := cmp.Diff(theirs, textRows(t, r)); diff != "" {
			t.Errorf("%s: systemd (-) and the files (+):\n%s", u.Name, diff)
		}
	}
}

// jsonTables splits the output for many units: a document for each that is loaded, then one that lists them.
func jsonTables(t *testing.T, out string) map[string][]string {
	t.Helper()
	var tables []json.RawMessage
	decoder := json.NewDecoder(strings.NewReader(out))
	for decoder.More() {
		var doc json.RawMessage
		if err := decoder.Decode(&doc); err != nil {
			t.Fatalf("%v: %.200s", err, out)
		}
		tables = append(tables, doc)
	}
	var overview []struct{ Unit string }
	last := len(tables) - 1
	if err := json.Unmarshal(tables[last], &overview); err != nil || len(overview) != last {
		t.Fatalf("%d tables and %d units: %v", last, len(overview), err)
	}
	found := map[string][]string{}
	for i, u := range overview {
		found[u.Unit] = strings.Split(string(tables[i]), "},")
	}
	return found
}

func jsonRows(t *testing.T, r exposure.Report) []string {
	t.Helper()
	rows, err := json.Marshal(r.Rows)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(rows), "},")
}

// textTables splits the output of a systemd without JSON: each table ends with its sum. Blanks and the face are left
// out.
func textTables(t *testing.T, out string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	var table []string
	for text := range strings.Lines(out) {
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if words[0] != "→" {
			table = append(table, strings.Join(words, " "))
			continue
		}
		unit := strings.TrimSuffix(words[5], ":")
		found[unit] = append(table, strings.Join(words[:8], " "))
		table = nil
	}
	return found
}

func textRows(_ *testing.T, r exposure.Report) []string {
	lines := []string{"NAME DESCRIPTION EXPOSURE"}
	for _, row := range r.Rows {
		mark := ""
		if row.Set != nil {
			mark = map[bool]string{true: "✓ ", false: "✗ "}[*row.Set]
		}
		lines = append(lines, strings.Join(strings.Fields(mark+row.Name+" "+row.Description+" "+
			row.Exposure.String()), " "))
	}
	return append(lines, fmt.Sprintf("→ Overall exposure level for %s: %s %s", r.Unit, exposure.Points(r.Exposure),
		r.Level))
}
