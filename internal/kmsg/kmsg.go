// Package kmsg writes where the messages of a generator belong.
package kmsg

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// A Log writes to the kernel log while systemd runs the program, since nothing else is there at boot, and to stderr otherwise.
// Priorities are those of syslog(3).
type Log struct {
	out    io.Writer
	prefix func(priority int) string
}

// Open opens the log of a program of this name.
func Open(name string) *Log {
	if os.Getppid() == 1 || os.Getenv("SYSTEMD_SCOPE") != "" {
		if kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil {
			return &Log{kmsg, func(p int) string { return fmt.Sprintf("<%d>%s[%d]: ", p, name, os.Getpid()) }}
		}
	}
	return &Log{os.Stderr, func(int) string { return name + ": " }}
}

// maxLine is what the kernel takes as one record.
const maxLine = 900

func (l *Log) write(priority int, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > maxLine {
			line = line[:maxLine] + "..."
		}
		fmt.Fprintf(l.out, "%s%s\n", l.prefix(priority), line)
	}
}

// Error reports what went wrong, one record for each line.
func (l *Log) Error(err error) { l.write(3, err.Error()) }

// Info tells what there is to know.
func (l *Log) Info(text string) { l.write(6, text) }
