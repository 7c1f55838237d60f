// Package kmsg writes where the messages of a generator belong.
package kmsg

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Log writes to the kernel log while systemd runs the program, since nothing else is there at boot, and to stderr
// otherwise. Priorities are those of syslog(3).
type Log struct {
	name string
	fd   int
}

// Open opens the log of a program of this name.
func Open(name string) *Log {
	if _, scope := unix.Getenv("SYSTEMD_SCOPE"); scope || unix.Getppid() == 1 {
		if fd, err := unix.Open("/dev/kmsg", unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOCTTY, 0); err == nil {
			return &Log{name, fd}
		}
	}
	return &Log{name, unix.Stderr}
}

// maxLine is what the kernel takes as one record.
const maxLine = 900

func (l *Log) write(priority int, text string) {
	prefix := l.name + ": "
	if l.fd != unix.Stderr {
		prefix = "<" + strconv.Itoa(priority) + ">" + l.name + "[" + strconv.Itoa(unix.Getpid()) + "]: "
	}
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > maxLine {
			line = line[:maxLine] + "..."
		}
		_, _ = unix.Write(l.fd, []byte(prefix+line+"\n")) // there is nowhere else to say it
	}
}

// Error reports what went wrong, one record for each line.
func (l *Log) Error(err error) { l.write(3, err.Error()) }

// Info tells what there is to know.
func (l *Log) Info(text string) { l.write(6, text) }
