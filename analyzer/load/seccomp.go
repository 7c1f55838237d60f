package load

import (
	"path"
	"strings"

	"temper/internal/host"
)

// Libseccomp returns the version of the libseccomp that is installed in a root, such as "2.6.0", from the name of its file;
// "" if there is none.
func Libseccomp(root host.Root) string {
	for _, dir := range libraryDirs(root) {
		entries, _ := root.ReadDir(dir) // a missing directory has no library either
		for _, e := range entries {
			version, ok := strings.CutPrefix(e.Name(), "libseccomp.so.")
			if ok && strings.Count(version, ".") == 2 && strings.Trim(version, "0123456789.") == "" {
				return version
			}
		}
	}
	return ""
}

// libraryDirs are where distributions keep libraries; Debian has a directory for each architecture.
func libraryDirs(root host.Root) []string {
	dirs := []string{"/usr/lib64", "/usr/lib", "/lib64", "/lib"}
	for _, parent := range []string{"/usr/lib", "/lib"} {
		entries, _ := root.ReadDir(parent)
		for _, e := range entries {
			if strings.Contains(e.Name(), "-linux-gnu") {
				dirs = append(dirs, path.Join(parent, e.Name()))
			}
		}
	}
	return dirs
}
