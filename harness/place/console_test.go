package place

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestConsoleLines(t *testing.T) {
	var log bytes.Buffer
	c := console{copy: &log}
	for range 1000 {
		_, _ = c.Write([]byte("\x1b[0;32mWelcome\x1b[0m\r\n"))
	}
	_, _ = c.Write([]byte("\r\n\x1b]0;title\a  Schlüssel\tfehlt\xff \r\n[\x1b[0;1;31mFAILED\x1b[0m] x"))
	if got, want := c.lines(3), "Welcome\nSchlüssel\tfehlt\n[FAILED] x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(c.tail) > consoleBytes || log.Len() < 15000 {
		t.Errorf("%d bytes kept, %d passed on", len(c.tail), log.Len())
	}
	if got := new(console).lines(3); got != "" {
		t.Errorf("nothing written, but %q", got)
	}
}

func TestOrphaned(t *testing.T) {
	start, err := startTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(os.Getpid())
	for name, want := range map[string]bool{
		"temper-" + pid + "-" + start + "-abc":         false,
		"temper-" + pid + "-" + start + "-abc.scope":   false,
		"temper-run-" + pid + "-" + start + "-abc":     false,
		"temper-" + pid + "-1-abc":                     true, // the number has come again
		"temper-run-" + pid + "-1-abc":                 true,
		"temper-99999999999-1-abc.scope":               true,
		"temper-" + strings.Repeat("9", 30) + "-1-abc": false, // no number of a process
		"temper-run-abc":                               false, // of a container
		"temper-prove@x.service":                       false,
		"system.slice":                                 false,
	} {
		if got := Orphaned(name); got != want {
			t.Errorf("%s: orphaned %v, want %v", name, got, want)
		}
	}
}

// What is copied is decided by type and path; each row is a mount of some machine.
func TestWanted(t *testing.T) {
	for _, tc := range []struct {
		at, fstype string
		want       bool
	}{
		{"/home", "ext4", true},
		{"/var", "btrfs", true},
		{"/srv/data", "nfs4", true},
		{"/var/lib/mysql", "tmpfs", true},
		{"/etc/hosts", "ext4", true},
		{"/mnt/windows", "fuseblk", true},
		{"/runtime", "ext4", true},
		{"/run/user/1000", "tmpfs", false},
		{"/tmp", "ext4", false},
		{"/dev/shm", "tmpfs", false},
		{"/proc/sys/fs/binfmt_misc", "autofs", false},
		{"/home/u/remote", "fuse.sshfs", false},
		{"/var/lib/chroot/proc", "proc", false},
	} {
		if got := wanted(tc.at, tc.fstype); got != tc.want {
			t.Errorf("%s on %s: %v, want %v", tc.fstype, tc.at, got, tc.want)
		}
	}
}
