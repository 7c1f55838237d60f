package batch

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

// TestStartable: the list has each unit that a profile names and systemd could start once, and no instance that is not
// configured.
func TestStartable(t *testing.T) {
	root := t.TempDir()
	const service = "[Service]\nExecStart=/bin/a\n"
	for name, text := range map[string]string{
		"usr/lib/systemd/system/here.service":      service,
		"usr/lib/systemd/system/masked.service":    service,
		"usr/lib/systemd/system/template@.service": "[Unit]\nAssertPathExists=/etc/template/%i.conf\n" + service,
		"etc/template/good.conf":                   "",
		"etc/temper/profiles.d/a.toml": "units = [\"gone.service\", \"here.service\", \"masked.service\", " +
			"\"template@.service\", " +
			"\"template@good.service\", \"template@bad.service\"]\n\n[service]\nPrivateTmp = true\n",
		"etc/temper/profiles.d/b.toml": "units = [\"here.service\"]\n\n[service]\nPrivateTmp = true\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "etc/systemd/system"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "etc/systemd/system/masked.service")); err != nil {
		t.Fatal(err)
	}
	set, problems := profiles.Load(host.At(root), []string{"/etc/temper/profiles.d"})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []string{"here.service", "template@good.service"}
	if diff := cmp.Diff(want, Startable(&unit.Loader{Root: host.At(root)}, set)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
