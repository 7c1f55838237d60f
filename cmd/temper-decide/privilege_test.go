package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain is the program under test where TestDropPrivilege asks for that.
func TestMain(m *testing.M) {
	if os.Getenv("TEMPER_DROP_PRIVILEGE") == "" {
		os.Exit(m.Run())
	}
	if err := dropPrivilege(); err != nil {
		fmt.Println(err)
	}
	threads, _ := filepath.Glob("/proc/self/task/*/status")
	for _, name := range threads {
		status, _ := os.ReadFile(name)
		fmt.Printf("%s\n", status)
	}
}

// TestDropPrivilege: no thread keeps a capability but those that read and write files of all users, or gets one back.
func TestDropPrivilege(t *testing.T) {
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(own)
	c.Env = append(os.Environ(), "TEMPER_DROP_PRIVILEGE=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := fmt.Sprintf("%016x", uint64(kept))
	if os.Geteuid() != 0 {
		want = fmt.Sprintf("%016x", 0)
	}
	threads := 0
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch key {
		case "CapPrm", "CapEff":
			if value != want {
				t.Errorf("%s is %s, want %s", key, value, want)
			}
			threads++
		case "CapInh":
			if strings.Trim(value, "0") != "" {
				t.Errorf("%s is %s", key, value)
			}
		case "NoNewPrivs":
			if value != "1" {
				t.Errorf("%s is %s", key, value)
			}
		}
	}
	if threads < 4 {
		t.Errorf("%d lines about threads, want two for each of several:\n%s", threads, out)
	}
}
