package place

import "testing"

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
