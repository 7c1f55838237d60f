package packaging_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"temper/analyzer"
	"temper/analyzer/exposure"
)

// mostExposed is how much exposure each of temper's own services may have, in tenths, as systemd-analyze security
// counts it.
var mostExposed = map[string]int{
	"temper-guard.service":  20,
	"temper-guard@.service": 20,
	"temper-prove.service":  80, // boots places: see what it says itself
	"temper-prove@.service": 40,
	"temper-renew@.service": 78, // boots a place
	"temper-watch.service":  40,
}

// TestExposure: temper's own services are as tight as they were, on every version of systemd that the packages are for.
func TestExposure(t *testing.T) {
	files, err := filepath.Glob("systemd/*.service")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d services, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		most, ok := mostExposed[name]
		if !ok {
			t.Errorf("%s has no limit", name)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range []int{252, 257, 262} {
			src := analyzer.Source{Options: exposure.Options{Version: version, Arch: "x86_64"}}
			r, err := src.ScoreText(strings.Replace(name, "@", "@web", 1), string(text))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s with systemd %d: %s", name, version, exposure.Points(r.Exposure))
			if r.Exposure > most {
				t.Errorf(
					"%s has %s with systemd %d, want %s at most",
					name,
					exposure.Points(r.Exposure),
					version,
					exposure.Points(most),
				)
				rows := slices.DeleteFunc(
					slices.Clone(r.Rows),
					func(row exposure.Row) bool { return row.Exposure == 0 },
				)
				for _, row := range rows {
					t.Logf("  %v %s", row.Exposure, row.Name)
				}
			}
		}
	}
}
