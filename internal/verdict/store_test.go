package verdict_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"temper/internal/verdict"
)

// TestPutClears: the next verdict on a unit takes away what a process has left that was killed while it wrote one, and nothing that
// may still be written.
func TestPutClears(t *testing.T) {
	store := verdict.Store{Dirs: []string{t.TempDir()}}
	const unit = `a\x2db.service`
	for name, age := range map[string]time.Duration{
		"." + unit + ".json1": time.Hour, "." + unit + ".json2": time.Second, ".other.service.json3": time.Hour,
		"trials/." + unit + ".json4": time.Hour,
	} {
		file := filepath.Join(store.Dirs[0], name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.PutTrials(unit, nil); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(verdict.Verdict{Unit: unit}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"." + unit + ".json1": false, "." + unit + ".json2": true, ".other.service.json3": true, "trials/." + unit + ".json4": false,
		unit + ".json": true, "trials/" + unit + ".json": true,
	} {
		if _, err := os.Stat(filepath.Join(store.Dirs[0], name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}
}
