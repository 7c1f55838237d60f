// Under the race detector memory is the detector's.

//go:build !race

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// TestAnalyzeMemory scores few and many units: memory must not grow with them, but for the listing of the directory.
func TestAnalyzeMemory(t *testing.T) {
	// The test binary is temper when it is called so; see TestMain.
	program := filepath.Join(t.TempDir(), "temper")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, program); err != nil {
		t.Fatal(err)
	}
	const mayGrow = 8 << 10 // KiB
	for format, units := range map[string][2]int{"text": {2000, 10_000}, "json": {500, 2500}} {
		few, many := peak(t, program, format, units[0]), peak(t, program, format, units[1])
		t.Logf("%s: %d KiB for %d units, %d KiB for %d", format, few, units[0], many, units[1])
		if many-few > mayGrow {
			t.Errorf("%s: memory grows by %d KiB", format, many-few)
		}
	}
}

// peak is the most memory, in KiB, that analyze needs for some units.
func peak(t *testing.T, program, format string, units int) int64 {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "usr/lib/systemd/system")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range units {
		text := fmt.Sprintf("[Service]\nExecStart=/bin/true\nUser=u%d\nSystemCallFilter=@system-service\n", i)
		if err := os.WriteFile(fmt.Sprintf("%s/s%d.service", dir, i), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(program, "analyze", "--root", root, "--format", format)
	out, err := os.Create(filepath.Join(root, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c.Stdout = out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var most int64
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for {
		select {
		case err := <-ended:
			if info, serr := out.Stat(); err != nil || serr != nil || info.Size() < int64(units)*20 || most == 0 {
				t.Fatalf("%v, %v: %d bytes, %d KiB", err, serr, info.Size(), most)
			}
			return most
		case <-time.After(2 * time.Millisecond):
			// What wait(2) tells counts the process from before it was temper.
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Process.Pid))
			if m := highWater.FindSubmatch(status); m != nil {
				n, _ := strconv.ParseInt(string(m[1]), 10, 64) // digits
				most = max(most, n)
			}
		}
	}
}

var highWater = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)
