package verdict_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"temper/internal/verdict"
)

// TestPutClears: the next verdict on a unit takes away what a process has left that was killed while it wrote one, and
// nothing that may still be written.
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
	if err := store.PutProof(verdict.Verdict{Unit: unit}, nil); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"." + unit + ".json1": false, "." + unit + ".json2": true, ".other.service.json3": true, "trials/." + unit +
			".json4": false,
		unit + ".json": true, "trials/" + unit + ".json": true,
	} {
		if _, err := os.Stat(filepath.Join(store.Dirs[0], name)); (err == nil) != want {
			t.Errorf("%s: %v, want it there: %v", name, err, want)
		}
	}
}

// TestPutProof: a verdict and the log of its trials are stored together, and where one cannot be, none is beside that
// of another proof.
func TestPutProof(t *testing.T) {
	const unit = "a.service"
	store := verdict.Store{Dirs: []string{t.TempDir()}}
	put := func(reason string) error {
		return store.PutProof(verdict.Verdict{Unit: unit, Reason: reason}, []verdict.Trial{{Dropin: reason}})
	}
	stored := func() string {
		v, _ := store.Get(unit)
		trials, _ := store.Trials(unit)
		both := v.Reason
		for _, t := range trials {
			both += " " + t.Dropin
		}
		return both
	}
	if err := put("old"); err != nil || stored() != "old old" {
		t.Fatalf("%v: %s", err, stored())
	}
	if err := put("new"); err != nil || stored() != "new new" {
		t.Fatalf("%v: %s", err, stored())
	}
	verdicts, trials := filepath.Join(store.Dirs[0], unit+".json"), filepath.Join(store.Dirs[0], "trials", unit+".json")
	for _, tc := range []struct{ blocked, want string }{{verdicts, ""}, {trials, "new"}} {
		if err := os.Remove(tc.blocked); err != nil {
			t.Fatal(err)
		}
		// no file takes the place of a directory
		if err := os.MkdirAll(filepath.Join(tc.blocked, "full"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := put("newest"); err == nil || stored() != tc.want {
			t.Errorf("%s cannot be written: %v, %q", tc.blocked, err, stored())
		}
		if err := os.RemoveAll(tc.blocked); err != nil {
			t.Fatal(err)
		}
		if err := put("new"); err != nil {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(tc.blocked), ".*")); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
}

// TestGetTooLarge: a verdict of more than a mebibyte is refused, and one of just that is read.
func TestGetTooLarge(t *testing.T) {
	store := verdict.Store{Dirs: []string{t.TempDir()}}
	const text, most = `{"unit": "a.service", "verdict": "proven"}`, 1 << 20
	for size, want := range map[int]bool{most: true, most + 1: false} {
		data := append([]byte(text), bytes.Repeat([]byte{' '}, size-len(text))...)
		if err := os.WriteFile(filepath.Join(store.Dirs[0], "a.service.json"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, err := store.Get("a.service"); (err == nil) != want || (v.Result == verdict.Proven) != want {
			t.Errorf("%d bytes: %q, %v, want it read: %t", size, v.Result, err, want)
		}
	}
}
