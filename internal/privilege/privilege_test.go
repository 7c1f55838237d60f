package privilege_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"temper/internal/privilege"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/internal/values"
)

// TestMain is the program under test where TestKeep asks for that: it shows its threads, and a program that it
// executes.
func TestMain(m *testing.M) {
	if os.Getenv("TEMPER_KEEP") == "" {
		os.Exit(m.Run())
	}
	if err := errors.Join(privilege.Bound(kept), privilege.Keep(kept)); err != nil {
		fmt.Println(err)
	}
	threads, _ := filepath.Glob("/proc/self/task/*/status")
	for _, name := range threads {
		status, _ := os.ReadFile(name)
		fmt.Printf("%s\n", status)
	}
	out, err := exec.Command("cat", "/proc/self/status").CombinedOutput()
	fmt.Printf("%s%v\n", out, err)
}

var kept = values.CapabilitySet("CAP_DAC_OVERRIDE", "CAP_SETPCAP", "CAP_BPF")

// TestKeep: neither a thread nor a program that the process executes has a capability that is given up.
func TestKeep(t *testing.T) {
	testroot.NeedFor(t, "have capabilities to give up")
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "TEMPER_KEEP=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
		switch key {
		case "CapPrm", "CapEff", "CapBnd":
			if want := fmt.Sprintf("%016x", uint64(kept)); value != want {
				t.Errorf("%s is %s, want %s", key, value, want)
			}
			seen++
		case "CapInh", "CapAmb":
			if strings.Trim(value, "0") != "" {
				t.Errorf("%s is %s", key, value)
			}
		}
	}
	if seen < 3*3 { // Go has at least two threads
		t.Errorf("only %d sets: %s", seen, out)
	}
}

// TestContainers: the units that boot containers have the same capabilities as temper keeps for that.
func TestContainers(t *testing.T) {
	for _, name := range []string{"temper-prove.service", "temper-renew@.service"} {
		file := filepath.Join("../../packaging/systemd", name)
		text, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer text.Close()
		assignments, _, err := unit.Parse(file, text)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, a := range assignments {
			if a.Name == "CapabilityBoundingSet" {
				lines = append(lines, a.Value)
			}
		}
		if got := values.ParseCapabilityBoundingSet(lines, 252); got != privilege.Containers {
			t.Errorf("%s has %s, want %s", name, got, privilege.Containers)
		}
	}
}
