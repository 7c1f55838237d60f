// Package kmsg writes the messages of a generator to the kernel log.
package kmsg

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Log writes to the kernel log if systemd runs the program, since no other log exists early in a boot, and to stderr
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

// maxLine is the most bytes that the kernel accepts as one record.
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
		_, _ = unix.Write(l.fd, []byte(prefix+line+"\n")) // there is nowhere to report an error
	}
}

// Error writes an error, one record for each line.
func (l *Log) Error(err error) { l.write(3, err.Error()) }

// Info writes a message that is not a problem.
func (l *Log) Info(text string) { l.write(6, text) }
