package guard

import (
	"os"
	"path/filepath"
	"testing"
)

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
