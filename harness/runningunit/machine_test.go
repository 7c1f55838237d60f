package runningunit

import (
	"os"
	"path/filepath"
	"testing"

	"temper/internal/host"
)

// TestDecidedAt: whether a verdict is applied can be decided later than the verdict is written. A machine on which
// temper was off at the boot, or came after it, runs services without what their verdicts say.
func TestDecidedAt(t *testing.T) {
	const unit = "a.service"
	write := func(t *testing.T, root, name string) {
		t.Helper()
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, root, name string) {
		t.Helper()
		if err := os.Remove(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	const link = "etc/systemd/system/a.service.d/50-temper.conf"
	for name, tc := range map[string]struct {
		change func(t *testing.T, root string)
		later  bool
	}{
		"nothing changes": {func(*testing.T, string) {}, false},
		"the verdict on another unit": {
			func(t *testing.T, root string) { write(t, root, "etc/temper/verdicts/b.service.json") }, false,
		},
		"the verdict": {
			func(t *testing.T, root string) { write(t, root, "etc/temper/verdicts/a.service.json") }, true,
		},
		"everything is off":   {func(t *testing.T, root string) { write(t, root, "etc/temper/disabled") }, true},
		"the settings":        {func(t *testing.T, root string) { write(t, root, "etc/temper/temper.toml") }, true},
		"the link is removed": {func(t *testing.T, root string) { remove(t, root, link) }, true},
		"temper comes": {
			func(t *testing.T, root string) {
				write(t, root, "usr/lib/systemd/system-generators/temper-generator")
			}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for _, file := range []string{"etc/temper/verdicts/a.service.json", "etc/temper/temper.toml", link} {
				write(t, root, file)
			}
			before := decidedAt(host.At(root), unit)
			for now := before; !now.After(before); { // the clock of file times has moved on
				write(t, root, "clock")
				now = changed(host.At(root), "/clock")
			}
			tc.change(t, root)
			if after := decidedAt(host.At(root), unit); after.After(before) != tc.later {
				t.Errorf("it was decided at %s, and is at %s", before, after)
			}
		})
	}
	if at := decidedAt(host.At(t.TempDir()), unit); !at.IsZero() {
		t.Errorf("without a verdict it was decided at %s", at)
	}
}
