package place

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// Names of what could outlive this process carry its number, and when it started since numbers come again, so that
// [Sweep] can tell the dead's from the living's: temper-PID-START-ID for the cgroup of a container (with .scope where
// systemd made it), temper-run-PID-START-ID for a command,
// temper-cover-PID-START-ID for copies over directories, temper-trial-PID-START-N for the units of a trial.
var ownedName = regexp.MustCompile(`^temper-(?:run-|cover-|trial-)?([0-9]+)-([0-9]+)-[a-z0-9]+(?:\.scope|\.service)?$`)

// OwnName is a name that begins with a prefix and says which process made what has it, and when that started; see [Orphaned].
func OwnName(prefix, id string) (string, error) {
	start, err := startTime(os.Getpid())
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s-%d-%s-%s", prefix, os.Getpid(), start, id), nil
}

// Orphaned tells whether name is one of ours whose maker has ended.
func Orphaned(name string) bool {
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
