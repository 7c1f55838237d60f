package unit_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/unit"
)

func TestInstances(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"usr/lib/systemd/system/a@.service", "usr/lib/systemd/system/a@own.service", "usr/lib/systemd/system/plain.service",
		"etc/systemd/system/a@x.service.d/1.conf", "run/systemd/system/a@y.service.d/1.conf", "etc/systemd/system/a@own.service.d/1.conf",
		"etc/systemd/system/b@x.service.d/1.conf", "etc/systemd/system/plain.service.d/1.conf", "etc/systemd/system/a@.service.d/1.conf",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("[Service]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := unit.Loader{Root: host.At(root)}
	if diff := cmp.Diff([]string{"a@x.service", "a@y.service"}, l.Instances()); diff != "" {
		t.Error(diff)
	}
}
