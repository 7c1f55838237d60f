package ready

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/rootdir"
)

// CommandLine returns the kernel command line as systemd reads it; in a container this is the command line of PID 1. A
// root that is not this machine is not booted and has none.
func CommandLine(root string) string {
	if root != "" && root != "/" {
		return ""
	}
	file := "/proc/cmdline"
	if inContainer, err := hasAny("", "/run/systemd/container"); inContainer && err == nil {
		file = "/proc/1/cmdline"
	}
	return strings.Join(words(file), " ") // without /proc there is no command line
}

// Args returns the arguments of this process, its name first. It reads them from /proc, since the start of package os,
// which has them too, takes longer than everything else if nothing has changed.
func Args() []string { return words("/proc/self/cmdline") }

// words splits a file of /proc whose words end in NUL or a newline.
func words(file string) []string {
	data := bytes.TrimRight(read(file), "\x00\n")
	if len(data) == 0 {
		return nil
	}
	return strings.Split(string(data), "\x00")
}

// read returns the content of a file of this machine; nil if it cannot be read.
func read(name string) []byte {
	host, _ := rootdir.Open("/") // which needs no descriptor
	fd, err := host.Open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	data, _ := (&reader{}).read(fd, 0)
	return data
}
