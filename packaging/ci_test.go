package packaging_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"temper/internal/testroot"
)

// blocks returns the command lines of a file in YAML: what follows "run: |" or stands below "script:".
func blocks(t *testing.T, file, pattern string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(data), -1) {
		list = append(list, regexp.MustCompile(`(?m)^ +(- )?`).ReplaceAllString(m[1], ""))
	}
	if len(list) == 0 {
		t.Fatalf("%s has nothing like %s", file, pattern)
	}
	return list
}

// TestSystemdCI runs the scripts of the action for GitHub and of the template for GitLab as their runners do: the first
// run proves, and a run that finds less than what is checked in fails. Both write a report.
func TestSystemdCI(t *testing.T) {
	tree := testroot.Path(t, "trixie")
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "../cmd/temper")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// A runner's user has sudo; this test is root already.
	const sudo = "#!/bin/sh\nshift\nexec \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "sudo"), []byte(sudo), 0o755); err != nil {
		t.Fatal(err)
	}
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	github := blocks(t, "ci/github/action.yml", `(?m)run: \|\n((?: {8,}.*\n)+)`)
	gitlab := blocks(t, "ci/gitlab.yml", `(?m)script:\n((?: +- .*\n)+)`)
	repository := t.TempDir()
	run := func(script string) (code int, said string) {
		t.Helper()
		c := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script)
		c.Dir = repository
		c.Env = append(
			os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GITHUB_ACTION_PATH="+top+"/packaging/ci/github",
			"TEMPER_CI="+top+"/packaging/ci", "TEMPER_PROFILE="+top+"/profiles/library/cron.toml", "TEMPER_IMAGE="+tree,
			"TEMPER_UNITS=cron.service", "TEMPER_STATE=.temper", "TEMPER_JUNIT=junit.xml", "TEMPER_PACKAGES=",
		)
		out, err := c.CombinedOutput()
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return c.ProcessState.ExitCode(), string(out)
	}
	if code, said := run(strings.Join(github, "\n")); code != 0 {
		t.Fatalf("the action ended with %d: %s", code, said)
	}
	report := filepath.Join(repository, "junit.xml")
	if data, err := os.ReadFile(report); err != nil || !strings.Contains(string(data), `<testsuite name="cron.service"`) {
		t.Errorf("%v: %s", err, data)
	}
	// What is checked in was better: the next run fails, and leaves it as it is.
	verdict := filepath.Join(repository, ".temper", "cron.service.json")
	data, err := os.ReadFile(verdict)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	v["exposure"].(map[string]any)["after"] = 0.1
	if data, err = json.Marshal(v); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(verdict, data, 0o600), os.Remove(report)); err != nil {
		t.Fatal(err)
	}
	code, said := run(strings.Join(gitlab, "\n"))
	if code != 1 || !strings.Contains(said, "exposure") {
		t.Errorf("the template ended with %d: %s", code, said)
	}
	if _, err := os.Stat(report); err != nil {
		t.Error(err)
	}
	if kept, err := os.ReadFile(verdict); err != nil || string(kept) != string(data) {
		t.Errorf("%v: the checked-in verdict became\n%s", err, kept)
	}
}
