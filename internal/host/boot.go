package host

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// ProfileDirs is where profiles are looked for, the first directory first.
var ProfileDirs = []string{
	"/etc/temper/profiles.d", "/run/temper/profiles.d", "/usr/local/lib/temper/profiles.d", "/usr/lib/temper/profiles.d",
}

// HasProfiles reports whether there is any directory that may have a profile in it.
func HasProfiles(r Root) bool {
	return slices.ContainsFunc(ProfileDirs, func(dir string) bool {
		_, err := r.Lstat(dir)
		return err == nil
	})
}

// DisabledFile turns the generator off while it exists.
const DisabledFile = "/etc/temper/disabled"

// Disabled reports whether [DisabledFile] exists; where that cannot be told, it counts as there.
func Disabled(r Root) bool {
	_, err := r.Lstat(DisabledFile)
	return !errors.Is(err, fs.ErrNotExist)
}

// CommandLine returns the kernel command line as systemd reads it: in a container that of PID 1. A root that is not this
// machine was not booted and has none.
func CommandLine(r Root) string {
	if !r.IsHost() {
		return ""
	}
	file := "/proc/cmdline"
	if _, err := os.Stat("/run/systemd/container"); err == nil {
		file = "/proc/1/cmdline"
	}
	data, _ := os.ReadFile(file) // without /proc there is nothing to obey
	return strings.TrimSpace(strings.ReplaceAll(string(data), "\x00", " "))
}

// InInitrd reports whether this is the initial file system, whose units are not those of the machine. The variable exists
// since systemd 251; see systemd.generator(7).
func InInitrd(r Root) bool {
	if v, ok := os.LookupEnv("SYSTEMD_IN_INITRD"); ok {
		return v == "1"
	}
	_, err := r.Lstat("/etc/initrd-release")
	return !errors.Is(err, fs.ErrNotExist)
}

// Booted reports whether systemd is the init system of this machine; sd_booted(3).
func Booted() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}
