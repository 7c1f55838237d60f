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

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"temper/generator"
	"temper/harness"
	"temper/harness/place"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// boot boots a copy of a Debian tree with the trap service's program in it.
func boot(t *testing.T, tree string) *place.Place {
	t.Helper()
	root := testroot.Path(t, tree)
	trap, err := os.ReadFile(buildTrap(t))
	if err != nil {
		t.Fatal(err)
	}
	where, err := place.Container(t.Context(), place.Options{
		Image: root, Files: []place.File{{Name: "/usr/local/bin/trap", Data: trap, Mode: 0o755}, {Name: "/srv/trap/.keep"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := where.Close(); err != nil {
			t.Error(err)
		}
	})
	if got, want := where.SystemdVersion(), testroot.Versions[tree]; got != want {
		t.Fatalf("%s has systemd %d, want %d", tree, got, want)
	}
	return where
}

func buildTrap(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "trap")
	c := exec.Command("go", "build", "-o", file, "../testdata/trap")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build the trap: %v\n%s", err, out)
	}
	return file
}

func library(t *testing.T) *profiles.Set {
	t.Helper()
	set, problems := profiles.Load("", []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

// TestSystemdTraps proves every service of testdata/traps, each of which breaks under known directives, and compares what
// was given up with what must be.
func TestSystemdTraps(t *testing.T) {
	files, err := filepath.Glob("../testdata/traps/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no traps: %v", err)
	}
	for _, tree := range []string{"trixie", "bookworm"} {
		t.Run(tree, func(t *testing.T) {
			where := boot(t, tree)
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
					proveTrap(t, where, file)
				})
			}
		})
	}
}

func proveTrap(t *testing.T, where *place.Place, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	part := map[string]string{}
	for _, f := range archive.Files {
		part[f.Name] = string(f.Data)
	}
	if err := where.WriteFile("/etc/systemd/system/trap.service", []byte(part["trap.service"]), 0o644); err != nil {
		t.Fatal(err)
	}
	toml := filepath.Join(t.TempDir(), "trap.toml")
	if err := os.WriteFile(toml, []byte(part["trap.toml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	set := library(t)
	p, err := profiles.LoadFile(toml, set)
	if err != nil {
		t.Fatal(err)
	}
	v, err := harness.Prove(t.Context(), harness.Options{Place: where, Profiles: set, Profile: p, Unit: "trap.service", Progress: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(part["expect"], outcome(v)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, d := range v.Demotions {
		if len(d.Evidence) == 0 || d.Reason == "" {
			t.Errorf("%s= was demoted without a reason", d.Directive)
		}
	}
	for _, l := range v.LeftOut {
		if strings.HasPrefix(l.Reason, "has no effect") {
			t.Errorf("%s= %s", l.Directive, l.Reason)
		}
	}
}

// outcome is a verdict as testdata/traps writes it.
func outcome(v verdict.Verdict) string {
	if v.Result != verdict.Proven {
		return v.Result + "\n"
	}
	var b strings.Builder
	for _, d := range v.Demotions {
		from := d.From
		if from == "" {
			from = "nothing"
		}
		fmt.Fprintf(&b, "%s: %s -> %s\n", d.Directive, from, strings.ReplaceAll(d.To, "\n", "; "))
	}
	return b.String()
}

// TestSystemdServices proves real services with the profiles that are shipped: no demotion, a drop-in that systemd takes
// without a warning, and an exposure that never rises.
func TestSystemdServices(t *testing.T) {
	for _, tree := range []string{"trixie", "bookworm"} {
		t.Run(tree, func(t *testing.T) {
			where := boot(t, tree)
			set := library(t)
			for _, name := range []string{"nginx.service", "redis-server.service", "cron.service", "ssh.service"} {
				t.Run(name, func(t *testing.T) {
					v, err := harness.Prove(t.Context(), harness.Options{Place: where, Profiles: set, Unit: name, Progress: func(s string) { t.Log(s) }})
					if err != nil {
						t.Fatal(err)
					}
					if v.Result != verdict.Proven || len(v.Demotions) > 0 || v.Trials != 2 {
						t.Errorf("%s after %d trials with %v: %s", v.Result, v.Trials, v.Demotions, v.Reason)
					}
					if v.Exposure.After > v.Exposure.Before {
						t.Errorf("exposure %v", v.Exposure)
					}
					takes(t, where, name, v)
				})
			}
		})
	}
}

// takes installs a drop-in as the generator does and asks the real systemd what it makes of it.
func takes(t *testing.T, where *place.Place, name string, v verdict.Verdict) {
	t.Helper()
	dropin := "/run/systemd/generator/" + name + ".d/" + generator.Dropin
	if err := where.WriteFile(dropin, []byte(v.Dropin), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) place.Result {
		r, err := where.Run(t.Context(), place.Command{Args: args, Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := run("systemd-analyze", "verify", name); strings.Contains(r.Stderr, generator.Dropin) {
		t.Errorf("systemd warns of the drop-in:\n%s", r.Stderr)
	}
	l := &unit.Loader{Root: where.Root(), Version: where.SystemdVersion()}
	u, err := l.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	if last := u.Dropins[len(u.Dropins)-1]; last != dropin {
		t.Errorf("the drop-in is not read last but %v", u.Dropins)
	}
}

// TestSystemdProveStops: an interrupt in the middle of a trial ends it, and the place goes without a trace.
func TestSystemdProveStops(t *testing.T) {
	where := boot(t, "trixie")
	ctx, cancel := context.WithCancel(t.Context())
	begin := time.Now()
	_, err := harness.Prove(ctx, harness.Options{
		Place: where, Profiles: library(t), Unit: "nginx.service",
		Progress: func(string) { time.AfterFunc(200*time.Millisecond, cancel) },
	})
	if err == nil || ctx.Err() == nil {
		t.Fatalf("an interrupted proof ended with %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("took %s to stop", took)
	}
	if err := where.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob("/proc/[0-9]*/comm"); len(left) > 0 {
		for _, file := range left {
			if comm, _ := os.ReadFile(file); strings.TrimSpace(string(comm)) == "nginx" {
				t.Errorf("%s is still there", file)
			}
		}
	}
}
