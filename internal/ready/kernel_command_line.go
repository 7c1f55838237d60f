package ready

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"

	"temper/internal/rootdir"
)

// CommandLine returns the kernel command line as systemd reads it; in a container this is the command line of PID 1. A
// root that is not this machine is not booted and has none. An error says that what it has is not known.
func CommandLine(root string) (string, error) {
	if root != "" && root != "/" {
		return "", nil
	}
	inContainer, err := hasAny("", "/run/systemd/container")
	if err != nil {
		return "", err
	}
	file := "/proc/cmdline"
	if inContainer {
		file = "/proc/1/cmdline"
	}
	list, err := words(file)
	if err == unix.ENOENT { // without /proc there is no command line
		return "", nil
	}
	if err != nil {
		return "", &nameError{file, err}
	}
	return strings.Join(list, " "), nil
}

// Args returns the arguments of this process, its name first. It reads them from /proc, since the start of package os,
// which has them too, takes longer than everything else if nothing has changed.
func Args() []string {
	list, _ := words("/proc/self/cmdline") // without them, nothing is copied, and temper-decide says what it misses
	return list
}

// words splits a file of /proc whose words end in NUL or a newline.
func words(file string) ([]string, error) {
	data, err := read(file)
	data = bytes.TrimRight(data, "\x00\n")
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return strings.Split(string(data), "\x00"), nil
}

// read returns the content of a file of this machine.
func read(name string) ([]byte, error) {
	host, _ := rootdir.Open("/") // which needs no descriptor
	fd, err := host.Open(name, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	return (&reader{}).read(fd, 0)
}
