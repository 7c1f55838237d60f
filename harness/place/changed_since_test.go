package place

import (
	"slices"
	"testing"
	"time"

	"temper/internal/testroot"
)

// TestSystemdRemoved: a file that is removed later has changed, and one that was gone at that time, as the boot removes
// old temporary files, has not.
func TestSystemdRemoved(t *testing.T) {
	t.Parallel()
	p, err := Container(t.Context(), Options{Image: testroot.Path(t, "trixie")})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	remove := func(name string) {
		r, err := p.Run(t.Context(), Command{Args: []string{"rm", name}})
		if err != nil || r.Status != 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		time.Sleep(20 * time.Millisecond) // the clock of file times is coarse
	}
	remove("/etc/issue")
	since := time.Now()
	remove("/etc/skel/.profile")
	changed, err := p.ChangedSince(since)
	if err != nil || !slices.Contains(changed, "/etc/skel/.profile") || slices.Contains(changed, "/etc/issue") {
		t.Errorf("changed are %q, %v", changed, err)
	}
}

// TestOwningFileSystem: what lies below a mount point is not of the file system that the mount hides.
func TestOwningFileSystem(t *testing.T) {
	mountPoints := []string{"/", "/var", "/var/lib/x"}
	for name, want := range map[string]string{
		"/": "/", "/etc/passwd": "/", "/var": "/var", "/variable": "/", "/var/log": "/var",
		"/var/lib/x/y": "/var/lib/x",
	} {
		if got := owningFileSystem(mountPoints, name); got != want {
			t.Errorf("%s is of %s, want %s", name, got, want)
		}
	}
}
