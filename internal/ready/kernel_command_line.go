package ready

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/rootdir"
)

// CommandLine returns the kernel command line as systemd reads it: in a container that of PID 1. A root that is not
// this machine was not booted and has none.
func CommandLine(root string) string {
	if root != "" && root != "/" {
		return ""
	}
	file := "/proc/cmdline"
	if inContainer, err := hasAny("", "/run/systemd/container"); inContainer && err == nil {
		file = "/proc/1/cmdline"
	}
	return strings.Join(words(file), " ") // without /proc there is nothing to obey
}

// Args returns the arguments of this process, its name first. They come from /proc: package os, which has them too,
// takes longer to begin than all the rest of a boot at which nothing has changed.
func Args() []string { return words("/proc/self/cmdline") }

// words splits a file of /proc at what ends a word in it, zeros or a newline.
func words(file string) []string {
	data := bytes.TrimRight(read(file), "\x00\n")
	if len(data) == 0 {
		return nil
	}
	return strings.Split(string(data), "\x00")
}

// read returns what a file of this machine has, nothing if it cannot be read.
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
