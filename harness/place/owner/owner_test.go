package owner

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestGone(t *testing.T) {
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
		if got := Gone(name); got != want {
			t.Errorf("%s: gone %v, want %v", name, got, want)
		}
	}
}
