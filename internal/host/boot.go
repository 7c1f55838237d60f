package host

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

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
