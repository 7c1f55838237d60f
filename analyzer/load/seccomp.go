package load

import (
	"path"
	"strings"

	"temper/internal/host"
)

// Libseccomp returns the version of the libseccomp that is installed in a root, such as "2.6.0": its file's name has it, to
// which the name that programs ask for is a link. It is "" if there is none.
func Libseccomp(root host.Root) string {
	for _, dir := range libraryDirs(root) {
		target, err := root.Readlink(path.Join(dir, "libseccomp.so.2"))
		if err != nil {
			continue
		}
		version, ok := strings.CutPrefix(path.Base(target), "libseccomp.so.")
		if ok && strings.Trim(version, "0123456789.") == "" {
			return version
		}
	}
	return ""
}

// libraryDirs are where distributions keep libraries; Debian has a directory for each architecture.
func libraryDirs(root host.Root) []string {
	var dirs []string
	entries, _ := root.ReadDir("/usr/lib") // a missing directory has no library either
	for _, e := range entries {
		if strings.Contains(e.Name(), "-linux-gnu") {
			dirs = append(dirs, path.Join("/usr/lib", e.Name()))
		}
	}
	return append(dirs, "/usr/lib64", "/usr/lib", "/lib64", "/lib")
}
