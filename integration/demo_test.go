package integration_test

import (
	"os/exec"
	"testing"

	"temper/internal/testroot"
)

// TestSystemdDemo: the first command of the README does what it says, from a profile to a hardened boot.
func TestSystemdDemo(t *testing.T) {
	t.Parallel()
	testroot.Path(t, "trixie") // needs root
	demo := exec.Command("make", "demo")
	demo.Dir = ".."
	if out, err := demo.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}
