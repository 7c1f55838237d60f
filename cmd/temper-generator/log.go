package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// logger writes where the messages of a generator belong: to the kernel log while systemd runs it, since nothing else is
// there at boot, and to stderr otherwise. Priorities are those of syslog(3).
type logger struct {
	out    io.Writer
	prefix func(priority int) string
}

func openLog() *logger {
	if os.Getppid() == 1 || os.Getenv("SYSTEMD_SCOPE") != "" {
		if kmsg, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil {
			return &logger{kmsg, func(p int) string { return fmt.Sprintf("<%d>temper-generator[%d]: ", p, os.Getpid()) }}
		}
	}
	return &logger{os.Stderr, func(int) string { return "temper-generator: " }}
}

// maxLine is what the kernel takes as one record.
const maxLine = 900

func (l *logger) write(priority int, text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > maxLine {
			line = line[:maxLine] + "..."
		}
		fmt.Fprintf(l.out, "%s%s\n", l.prefix(priority), line)
	}
}

func (l *logger) error(err error)  { l.write(3, err.Error()) }
func (l *logger) info(text string) { l.write(6, text) }
