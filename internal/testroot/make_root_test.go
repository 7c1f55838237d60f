package testroot

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMakeRootLock: no other user can open the lock of a tree, and so hold up whoever makes it.
func TestMakeRootLock(t *testing.T) {
	roots := filepath.Join(t.TempDir(), "roots")
	if err := os.MkdirAll(filepath.Join(roots, "trixie"), 0o755); err != nil {
		t.Fatal(err)
	}
	const scripts = "../../testdata/roots/"
	list, err := os.ReadFile(scripts + "trixie.root")
	if err == nil {
		err = os.WriteFile(filepath.Join(roots, "trixie.list"), list, 0o644) // the tree is made already
	}
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(scripts+"make-root", "trixie")
	c.Env = append(os.Environ(), "TEMPER_CACHE="+filepath.Dir(roots))
	if out, err := c.CombinedOutput(); err != nil || string(out) != filepath.Join(roots, "trixie")+"\n" {
		t.Fatalf("%v: %s", err, out)
	}
	info, err := os.Stat(filepath.Join(roots, ".trixie.lock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v, want mode 600", info, err)
	}
}
