package ready

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"
)

// ProfileDirs is where profiles are looked for, the first directory first.
var ProfileDirs = []string{
	"/etc/temper/profiles.d", "/run/temper/profiles.d", "/usr/local/lib/temper/profiles.d", "/usr/lib/temper/profiles.d",
}

// DisabledFile turns the generator off while it exists.
const DisabledFile = "/etc/temper/disabled"

// HasProfiles reports whether a root has any directory that may have a profile in it.
func HasProfiles(root string) bool {
	for _, dir := range ProfileDirs {
		if lstat(root, dir) == nil {
			return true
		}
	}
	return false
}

// Disabled reports whether [DisabledFile] exists; where that cannot be told, it counts as there.
func Disabled(root string) bool { return lstat(root, DisabledFile) != unix.ENOENT }

// InInitrd reports whether this is the initial file system, whose units are not those of the machine. The variable exists
// since systemd 251; see systemd.generator(7).
func InInitrd(root string) bool {
	if v, ok := unix.Getenv("SYSTEMD_IN_INITRD"); ok {
		return v == "1"
	}
	return lstat(root, "/etc/initrd-release") != unix.ENOENT
}

// CommandLine returns the kernel command line as systemd reads it: in a container that of PID 1. A root that is not this
// machine was not booted and has none.
func CommandLine(root string) string {
	if root != "" && root != "/" {
		return ""
	}
	file := "/proc/cmdline"
	if lstat("", "/run/systemd/container") == nil {
		file = "/proc/1/cmdline"
	}
	return strings.Join(words(file), " ") // without /proc there is nothing to obey
}

// Args returns the arguments of this process, its name first. They come from /proc: package os, which has them too, takes longer to
// begin than all the rest of a boot at which nothing has changed.
func Args() []string { return words("/proc/self/cmdline") }

// words splits a file of /proc at what ends a word in it, zeros or a newline.
func words(file string) []string {
	data := bytes.TrimRight(read(file), "\x00\n")
	if len(data) == 0 {
		return nil
	}
	return strings.Split(string(data), "\x00")
}

func lstat(root, name string) error {
	t, err := openTree(root)
	if err != nil {
		return err
	}
	defer t.close()
	var st unix.Stat_t
	return t.stat(name, &st, unix.AT_SYMLINK_NOFOLLOW)
}

// read returns what a file of this machine has, nothing if it cannot be read.
func read(name string) []byte {
	t, _ := openTree("")
	fd, err := t.open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	data, _ := t.read(fd, 0)
	return data
}
