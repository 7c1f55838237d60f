package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"temper/harness/place"
)

var parentPID = regexp.MustCompile(`(?m)^PPid:\s+(\d+)$`)

// bootAgain ends a place and boots its root a second time, with everything that the first boot wrote to it.
func bootAgain(t *testing.T, p *place.Place, tree string, o place.Options) *place.Place {
	t.Helper()
	kept := t.TempDir()
	mount := func(fstype, at, options string) {
		t.Helper()
		if err := unix.Mount("temper-test", at, fstype, 0, options); err != nil {
			t.Fatalf("mount %s at %s: %v", fstype, at, err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(at, 0); err != nil {
				t.Error(err)
			}
		})
	}
	mount("tmpfs", kept, "mode=755")
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Leader()))
	if err != nil {
		t.Fatal(err)
	}
	nspawn := parentPID.FindSubmatch(status)[1] // in whose mount namespace the written part of the overlay is
	upper, root := filepath.Join(kept, "upper"), filepath.Join(kept, "root")
	if out, err := exec.Command("cp", "-a", fmt.Sprintf("/proc/%s/root/run/temper/0/upper", nspawn),
		upper).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	mount("overlay", root, fmt.Sprintf("lowerdir=%s:%s,redirect_dir=follow,metacopy=on", upper, tree))
	o.Image, o.Files = root, nil
	second, err := place.Container(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	})
	return second
}
