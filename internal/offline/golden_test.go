package offline_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/testroot"
)

const goldenFile = "testdata/golden.json.gz"

// TestGolden compares with what systemd 252, 257 and 262 said of every unit of testdata/golden.txtar.
// TestSystemdGolden compares with systemd itself, and with -update records what it says.
func TestGolden(t *testing.T) {
	root := extract(t, "testdata/golden.txtar")
	files := services(t, filepath.Join(root, "ut"), "/ut")
	for name, want := range readGolden(t) {
		t.Run(name, func(t *testing.T) {
			got, failures, _ := score(
				t,
				offline.Source{Root: host.At(root), Path: []string{}, Version: testroot.Versions[name]},
				files...)
			same(t, want, got, failures)
		})
	}
}

// extract writes a txtar archive's files below ut in a new directory, which it returns.
func extract(t testing.TB, name string) string {
	t.Helper()
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for _, f := range archive.Files {
		file := filepath.Join(root, "ut", f.Name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func readGolden(t *testing.T) map[string][]scored {
	t.Helper()
	f, err := os.Open(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string][]scored{}
	if err := json.NewDecoder(z).Decode(&results); err != nil {
		t.Fatal(err)
	}
	return results
}

func writeGolden(t *testing.T, results map[string][]scored) {
	t.Helper()
	f, err := os.Create(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
	for _, err := range []error{json.NewEncoder(z).Encode(results), z.Close(), f.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
}
