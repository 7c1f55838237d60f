package harness_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/profiles"
)

// hostileProfile asks for little: these tests are about the baseline.
const hostileProfile = `
units = ["hostile.service"]

[service]
LockPersonality = true

[prove]
settle = "2s"
`

// TestSystemdHostileProof: the proof of a service that hinders it ends in time with a verdict or an error, and leaves
// nothing behind.
func TestSystemdHostileProof(t *testing.T) {
	t.Parallel()
	testroot.Need(t)
	binary := filepath.Join(t.TempDir(), "hostile")
	build := exec.Command("go", "build", "-o", binary, "temper/testdata/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	program, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	trees := []string{"trixie", "bookworm", "sid"}
	for i, tc := range []struct {
		how, want string // a verdict, or what is in the error
		reason    string // or an advisory
	}{
		{"stop", "error", "does not answer"}, // first: for a minute it only waits
		{"nothing", verdict.Started, ""},
		{"outlive", verdict.Started, ""},
		{"forks", "", "limits of the place (tasks)"},                     // proven where it went on
		{"memory", verdict.Inconclusive, "limits of the place (memory)"}, // it is killed
		{"disk", "", ""}, // whatever comes of it
	} {
		on := trees // with -every, else each case with another one: what is hostile does not ask for the version
		if !*every {
			on = trees[i%len(trees):][:1]
		}
		for _, tree := range on {
			t.Run(tree+"/"+tc.how, func(t *testing.T) {
				t.Parallel()
				mark := "hostile-mark-" + tree + "-" + tc.how
				begin := time.Now()
				v, err := proveHostile(t, tree, tc.how, mark, program)
				if took := time.Since(begin); took > 4*time.Minute {
					t.Errorf("it took %s", took)
				}
				got, why := v.Result, fmt.Sprint(v.Reason, v.Advisories)
				if err != nil {
					got, why = "error", err.Error()
				}
				if tc.want != "" && got != tc.want || !strings.Contains(why, tc.reason) {
					t.Errorf("%s: %s; want %s: %s", got, why, tc.want, tc.reason)
				}
				if left := marked(mark); len(left) > 0 {
					t.Errorf("processes have outlived the proof: %q", left)
				}
			})
		}
	}
}

// proveHostile proves the service in its own place, and closes the place.
func proveHostile(t *testing.T, tree, how, mark string, program []byte) (verdict.Verdict, error) {
	t.Helper()
	set := library(t)
	toml := filepath.Join(t.TempDir(), "hostile.toml")
	text := hostileProfile
	if how == "memory" { // all that it uses takes a while on a busy machine
		text = strings.Replace(text, "2s", "10s", 1)
	}
	if err := os.WriteFile(toml, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := profiles.LoadFile(toml, set)
	if err != nil {
		t.Fatal(err)
	}
	where, err := place.Container(t.Context(), place.Options{
		Image: testroot.Path(t, tree), Limits: place.Limits{Tasks: 300, Memory: 600 << 20},
		Files: []place.File{
			{Name: "/usr/local/bin/hostile", Data: program, Mode: 0o755},
			{Name: "/usr/lib/systemd/system/hostile.service", Data: []byte("[Service]\nType=exec\n" +
				"Environment=HOSTILE_MARK=" + mark + "\nExecStart=/usr/local/bin/hostile serve " + how + "\n")},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	v, err := harness.Prove(ctx, harness.Options{Place: where, Profile: p, Profiles: set, Unit: "hostile.service"})
	if cerr := where.Close(); cerr != nil {
		t.Error(cerr)
	}
	return v, err
}

// marked lists the processes of the machine with a word among their arguments.
func marked(word string) []string {
	var found []string
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range names {
		if data, _ := os.ReadFile(name); strings.Contains(string(data), word) {
			found = append(found, strings.ReplaceAll(string(data), "\x00", " "))
		}
	}
	return found
}
