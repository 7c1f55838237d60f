package offline

import (
	"errors"
	"path"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/host"
)

// Complete sets the version in options that have none: to that of the systemd installed in the root, else on this
// machine, with the libseccomp installed there, else to the newest.
func Complete(root host.Root, o exposure.Options) (exposure.Options, error) {
	if o.Version != 0 {
		return o, nil
	}
	for _, machine := range []host.Root{root, host.At("")} {
		version, err := machine.SystemdVersion()
		if errors.Is(err, host.ErrNoSystemd) {
			continue
		}
		if err != nil {
			return o, err
		}
		o.Version = version
		if o.Libseccomp == "" {
			o.Libseccomp = Libseccomp(machine)
		}
		return o, nil
	}
	o.Version = exposure.Newest
	return o, nil
}

// Libseccomp returns the version of the libseccomp that is installed in a root, such as "2.6.0", or "" if there is
// none. The version is in the name of the file to which the library's link leads.
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
