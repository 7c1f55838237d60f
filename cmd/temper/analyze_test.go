package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// TestSystemdAnalyze runs temper itself in a booted container: units by name are scored by the manager, so that the
// table, the rows and the sums are those of systemd-analyze security, and with --offline by their
// files.
func TestSystemdAnalyze(t *testing.T) {
	run := bootWithTemper(t)
	want := tableLines(run("env SYSTEMD_EMOJI=1 systemd-analyze security --no-pager"))
	if diff := cmp.Diff(want, tableLines(run("temper analyze"))); diff != "" || len(want) == 0 {
		t.Errorf("the tables of systemd-analyze (-) and temper (+) differ:\n%s", diff)
	}
	for _, how := range []string{
		"nginx.service", "nginx", "mounts.service", "container-getty@.service", "--json=short nginx", "--json=short",
		"--json=pretty", "--json=off nginx", "-q nginx", "--threshold=100 nginx",
	} {
		want, got := printed(run("env SYSTEMD_EMOJI=1 systemd-analyze security --no-pager "+how)),
			printed(run("temper analyze "+how))
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
			t.Errorf("%s: systemd-analyze (-) and temper (+) differ:\n%s", how, diff)
		}
	}
	files := printed(run("env SYSTEMD_EMOJI=1 systemd-analyze security --no-pager --offline=yes " +
		"/etc/systemd/system/mounts.service"))
	for _, how := range []string{
		"--offline mounts.service", "/etc/systemd/system/mounts.service",
		"--systemd-version 257 mounts",
	} {
		if diff := cmp.Diff(files, printed(run("temper analyze "+how))); diff != "" || len(files) == 0 {
			t.Errorf("%s: systemd-analyze (-) and temper (+) differ:\n%s", how, diff)
		}
	}
}

// tableLines are the lines of the table of all services: name, exposure and level.
func tableLines(out string) []string {
	var lines []string
	for _, m := range regexp.MustCompile(`(?m)^(\S+\.service) +(\S+) +([A-Z]+)`).FindAllStringSubmatch(out, -1) {
		lines = append(lines, strings.Join(m[1:], " "))
	}
	return lines
}

// bootWithTemper boots a container with temper and returns what runs a command in it, which must end well and say
// nothing on stderr.
func bootWithTemper(t *testing.T) func(command string) (stdout string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "temper")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	p, err := place.Container(t.Context(),
		place.Options{Image: testroot.Path(t, "trixie"), ID: "analyze", Files: []place.File{
			{Name: "/usr/bin/temper", Data: data, Mode: 0o755},
			// PrivateMounts=no counts for a file; a manager knows that PrivateTmp=yes implies it.
			{
				Name: "/etc/systemd/system/mounts.service",
				Data: []byte("[Service]\nExecStart=/bin/true\nPrivateTmp=yes\nPrivateMounts=no\n"),
			},
		}})
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(command string) string {
		t.Helper()
		r, err := p.Run(t.Context(), place.Command{
			Args: strings.Fields(command), Env: []string{"LANG=C.UTF-8"},
			Timeout: time.Minute,
		})
		if err != nil || r.Status != 0 || r.Stderr != "" {
			t.Fatalf("%s: %+v, %v", command, r, err)
		}
		return r.Stdout
	}
}
