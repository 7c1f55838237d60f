// Package owner makes names that say which process has made something, so that what a killed process has left can be
// told from what a living one uses.
//
// A name carries the number of its process, and when that started since numbers come again:
//
//	temper-PID-START-ID           the cgroup of a container, with .scope where systemd made it
//	temper-run-PID-START-ID       a command on the host
//	temper-cover-PID-START-ID     copies over directories of the host
//	temper-trial-PID-START-N      the units of a trial
package owner

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var ownedName = regexp.MustCompile(`^temper-(?:run-|cover-|trial-)?([0-9]+)-([0-9]+)-[a-z0-9]+(?:\.scope|\.service)?$`)

// Name returns the name of something that this process makes: the prefix, the process and an id of lower-case letters
// and digits.
func Name(prefix, id string) (string, error) {
	start, err := startTime(os.Getpid())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%d-%s-%s", prefix, os.Getpid(), start, id), nil
}

// Gone reports whether name is one that [Name] has made for a process that has ended.
func Gone(name string) bool {
	m := ownedName.FindStringSubmatch(name)
	if m == nil {
		return false
	}
	pid, err := strconv.Atoi(m[1])
	if err != nil {
		return false
	}
	start, err := startTime(pid)
	return err != nil || start != m[2]
}

// startTime is when a process started, in clock ticks since boot: field 22 of proc_pid_stat(5), counted behind the last
// parenthesis because field 2, the name of the program, can hold anything.
func startTime(pid int) (string, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	text := string(data)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from field 3 on
	if len(fields) < 20 {
		return "", fmt.Errorf("/proc/%d/stat has %d fields, want 22 or more", pid, len(fields)+2)
	}
	return fields[19], nil
}
