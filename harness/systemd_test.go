package harness_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"temper/generator"
	"temper/harness"
	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// boot boots a copy of a Debian tree with the trap service's program in it, and more files.
func boot(t testing.TB, tree string, more ...place.File) *place.Place {
	t.Helper()
	return bootAs(t, tree, false, more...)
}

// bootAs is boot with a trusted root, or not.
func bootAs(t testing.TB, tree string, trusted bool, more ...place.File) *place.Place {
	t.Helper()
	where, err := bootPlace(t.Context(), testroot.Path(t, tree), trusted, more...)
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

// bootPlace boots a copy of a root with the trap service's program in it, and more files. The caller closes the place.
func bootPlace(ctx context.Context, root string, trusted bool, more ...place.File) (*place.Place, error) {
	trap, err := trapProgram()
	if err != nil {
		return nil, err
	}
	files := append(
		more,
		place.File{Name: "/usr/local/bin/trap", Data: trap, Mode: 0o755},
		place.File{Name: "/srv/trap/.keep"},
		place.File{Name: "/root/.profile"},
	)
	return place.Container(ctx, place.Options{Image: root, Files: files, Trusted: trusted})
}

// trapProgram builds the program of the trap service, once.
var trapProgram = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "temper-trap-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c := exec.Command("go", "build", "-o", dir+"/trap", "../testdata/trap")
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the trap: %w\n%s", err, out)
	}
	return os.ReadFile(dir + "/trap")
})

func library(t testing.TB) *profiles.Set {
	t.Helper()
	set, problems := profiles.Load(host.Root{}, []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

// TestSystemdServices proves real services with the profiles that are shipped: no demotion, a drop-in that systemd
// takes without a warning, and an exposure that never rises. Those of Debian 13 are proven with the rest of the
// library.
func TestSystemdServices(t *testing.T) {
	t.Parallel()
	for _, tree := range []string{"bookworm"} {
		t.Run(tree, func(t *testing.T) {
			where := boot(t, tree)
			set := library(t)
			for _, name := range []string{"nginx.service", "redis-server.service", "cron.service", "ssh.service"} {
				t.Run(name, func(t *testing.T) {
					v, err := harness.Prove(
						t.Context(),
						harness.Options{Place: where, Profiles: set, Unit: name, Progress: func(s string) { t.Log(s) }},
					)
					if err != nil {
						t.Fatal(err)
					}
					if v.Result != verdict.Proven || len(v.Demotions) > 0 || v.Trials > 3 {
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

// takes installs a drop-in as the generator does, and asks systemd-analyze for warnings and for the exposure.
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

// TestSystemdProveStops: an interrupt in the middle of a trial ends the proof, and nothing of the place remains.
func TestSystemdProveStops(t *testing.T) {
	t.Parallel()
	where := boot(t, "trixie")
	group := where.Cgroup()
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
	if _, err := os.Stat(group); !errors.Is(err, fs.ErrNotExist) { // a control group with a process in it cannot go
		t.Errorf("%s is still there: %v", group, err)
	}
}
