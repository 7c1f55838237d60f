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
		"usr/lib/systemd/system/a@.service", "usr/lib/systemd/system/a@own.service",
		"usr/lib/systemd/system/plain.service",
		"etc/systemd/system/a@x.service.d/1.conf", "run/systemd/system/a@y.service.d/1.conf",
		"etc/systemd/system/a@own.service.d/1.conf",
		"etc/systemd/system/b@x.service.d/1.conf", "etc/systemd/system/plain.service.d/1.conf",
		"etc/systemd/system/a@.service.d/1.conf",
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

// Directories of a prefix and of another name of the template make an instance differ from its template, too.
func TestInstancesByPrefixAndAlias(t *testing.T) {
	root := plant(t, map[string]string{
		"/usr/lib/systemd/system/wp-site@.service":          "[Service]\nExecStart=/bin/true\n",
		"/usr/lib/systemd/system/other@.service":            "[Service]\nExecStart=/bin/true\n",
		"/usr/lib/systemd/system/alias@.service":            "-> other@.service",
		"/usr/lib/systemd/system/dead@.service":             "-> missing@.service",
		"/etc/systemd/system/wp-@bar.service.d/1.conf":      "[Service]\nCapabilityBoundingSet=CAP_SYS_CHROOT\n",
		"/etc/systemd/system/wp@none.service.d/1.conf":      "[Service]\n",
		"/etc/systemd/system/wp-.service.d/2.conf":          "[Service]\n",
		"/run/systemd/system/alias@baz.service.d/1.conf":    "[Service]\n",
		"/run/systemd/system/dead@x.service.d/1.conf":       "[Service]\n",
		"/run/systemd/system/wp-site@own.service.d/1.conf":  "[Service]\n",
		"/run/systemd/system/wp-site@link.service.d/1.conf": "[Service]\n",
		"/run/systemd/system/wp-site@link.service":          "-> wp-site@.service",
	})
	l := unit.Loader{Root: root}
	// the link is in the list of files
	want := []string{"other@baz.service", "wp-site@bar.service", "wp-site@own.service"}
	if diff := cmp.Diff(want, l.Instances()); diff != "" {
		t.Error(diff)
	}
	u, err := l.Load("wp-site@bar.service")
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := u.Last("Service", "CapabilityBoundingSet"); !ok || a.Value != "CAP_SYS_CHROOT" {
		t.Errorf("the instance has %v, want what its prefix sets", a)
	}
}
