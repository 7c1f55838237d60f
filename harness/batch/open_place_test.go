package batch

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/host"
	"temper/internal/testroot"
	"temper/internal/verdict"
	"temper/profiles"
)

// TestSystemdAsOpened: what root can leave for the next unit is seen, and what trials and harmless services leave is
// nothing.
func TestSystemdAsOpened(t *testing.T) {
	t.Parallel()
	for _, tree := range []string{"bookworm", "trixie", "sid"} {
		t.Run(tree, func(t *testing.T) {
			t.Parallel()
			where, err := Options{Root: host.At(testroot.Path(t, tree)), Place: Container}.openPlace(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer where.Close()
			sh := func(script string) {
				t.Helper()
				r, err := where.Run(t.Context(), place.Command{Args: []string{"/bin/sh", "-ec", script}})
				if err != nil || r.Status != 0 {
					t.Fatalf("%s: %+v, %v", script, r, err)
				}
			}
			for _, left := range []struct{ do, undo string }{
				{"systemctl daemon-reload; systemd-run --quiet --wait -p PrivateTmp=yes -p DynamicUser=yes true", ""},
				{"echo >> /var/lib/dpkg/status", ""},
				{
					"mkdir /run/systemd/system/service.d; printf '[Service]\\nNoNewPrivileges=yes\\n' " +
						"> /run/systemd/system/service.d/x.conf", "rm -r /run/systemd/system/service.d",
				},
				{"systemd-run --quiet --unit left sleep 1000", "systemctl stop left"},
				{
					"systemctl set-property --runtime system.slice CPUWeight=50",
					"rm -r /run/systemd/system.control/system.slice.d; systemctl daemon-reload",
				},
				{"systemctl mask --runtime --quiet a.service", "systemctl unmask --runtime --quiet a.service"},
				{"systemctl set-environment LD_PRELOAD=/x", "systemctl unset-environment LD_PRELOAD"},
				{"systemctl log-level debug", "systemctl log-level info"},
				{
					"mount -t tmpfs left /run/systemd/system",
					"umount /run/systemd/system; rm -rf /run/mount", // mount(8) of util-linux can make it
				},
				{"cp -a /etc/passwd /tmp/p; echo >> /etc/passwd", "cat /tmp/p > /etc/passwd; rm /tmp/p"},
				{
					"f=$(realpath /lib/systemd/system/systemd-journald.service); stat -c %s $f > /tmp/s; echo Nice=1 >> $f",
					"truncate -s $(cat /tmp/s) /lib/systemd/system/systemd-journald.service; rm /tmp/s",
				},
				{"setsid sh -c 'echo $$ > /sys/fs/cgroup/init.scope/cgroup.procs; exec sleep 1000' & sleep 1", "-"},
			} {
				sh(left.do)
				if got := where.asOpened(t.Context()); got != (left.undo == "") {
					t.Errorf("after %q the place is as it was opened: %t", left.do, got)
				}
				if left.undo == "" || left.undo == "-" { // of the last, nothing is undone
					continue
				}
				sh(left.undo)
				if !where.asOpened(t.Context()) {
					now, err := managerState(t.Context(), where.Place)
					changed, _ := where.ChangedSince(where.opened)
					kernel, _ := where.KernelState()
					t.Errorf("after %q the place is not as it was opened: %v\n%s%s%s", left.undo, err,
						cmp.Diff(where.manager, now), cmp.Diff(where.kernelState, kernel), changed)
				}
			}
		})
	}
}

// TestSystemdProofLeavesNothing: after the proofs of services whose setup leaves no units, PID 1 is as before, and
// no place is booted for its sake.
func TestSystemdProofLeavesNothing(t *testing.T) {
	t.Parallel()
	set, problems := profiles.Load(host.Root{}, []string{profiles.Builtin})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	b := &batch{Options: Options{
		Root: host.At(testroot.Path(t, "trixie")), Place: Container, Profiles: set,
		Store: verdict.Store{Dirs: []string{t.TempDir()}}, Report: testReport{t},
	}}
	where, err := b.openPlace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer where.Close()
	for _, unit := range []string{"nginx.service", "ssh.service"} {
		if err := b.prove(t.Context(), where.Place, unit); err != nil {
			t.Fatal(err)
		}
		if !where.managerAsOpened(t.Context()) {
			now, err := managerState(t.Context(), where.Place)
			t.Errorf("%s: %v\n%s", unit, err, cmp.Diff(where.manager, now))
		}
		if more, err := appended(where.Place, where.files); more || err != nil {
			t.Errorf("%s: something was appended: %t, %v", unit, more, err)
		}
	}
}

// TestSystemdHostileBatch: a hostile unit leaves a drop-in for all services, and the proof of the next is what it is
// without that.
func TestSystemdHostileBatch(t *testing.T) {
	t.Parallel()
	image := hostileImage(t)
	toml := t.TempDir()
	for name, text := range map[string]string{
		"hostile.toml": "units = [\"hostile.service\"]\n[service]\nLockPersonality = true\n[prove]\nsettle = \"2s\"\n",
		"next.toml":    "units = [\"next.service\"]\n[service]\nNoNewPrivileges = true\nLockPersonality = true\n",
	} {
		if err := os.WriteFile(filepath.Join(toml, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	set, problems := profiles.Load(host.Root{}, []string{toml})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	prove := func(units ...string) verdict.Verdict {
		t.Helper()
		all, _, err := Run(t.Context(), Options{
			Root: host.At(image), Place: Container, Units: units, Jobs: 1, Profiles: set,
			Store: verdict.Store{Dirs: []string{t.TempDir()}}, Report: testReport{t},
		})
		if err != nil || len(all) != len(units) {
			t.Fatalf("%+v, %v", all, err)
		}
		return all[len(all)-1]
	}
	alone, after := prove("next.service"), prove("hostile.service", "next.service")
	if alone.Result != verdict.Started || len(alone.Applied) != 2 {
		t.Errorf("alone it is %s with %+v", alone.Result, alone.Applied)
	}
	same := func(v verdict.Verdict) []any { return []any{v.Result, v.Fingerprint, v.Dropin, v.Applied, v.LeftOut} }
	if diff := cmp.Diff(same(alone), same(after)); diff != "" {
		t.Errorf("alone and after the hostile unit it differs:\n%s", diff)
	}
}

// testReport shows the steps of a proof in the log of a test.
type testReport struct{ *testing.T }

func (r testReport) Step(unit, text string)   { r.Log(unit, text) }
func (r testReport) Result(v verdict.Verdict) { r.Log(v.Unit, v.Result, v.Reason) }
func (r testReport) Done(string)              {}
func (r testReport) Warn(err error)           { r.Log(err) }

// hostileImage is a tree with a hostile service and another.
func hostileImage(t *testing.T) string {
	t.Helper()
	tree := testroot.Path(t, "trixie")
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/upper/usr/local/bin/hostile", "temper/testdata/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, program := range map[string]string{
		"hostile": "/usr/local/bin/hostile serve drop-in", "next": "sleep 1000",
	} {
		file := filepath.Join(dir, "upper/usr/lib/systemd/system", name+".service")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		text := "[Service]\nType=exec\nExecStart=" + program + "\n"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(dir, "image")
	for _, name := range []string{"image", "work"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := "lowerdir=" + tree + ",upperdir=" + dir + "/upper,workdir=" + dir + "/work"
	if err := unix.Mount("overlay", image, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(image, unix.MNT_DETACH) })
	return image
}
