package integration_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// programs builds both programs as a package would have them.
func programs(t *testing.T) []place.File {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", dir+"/", "temper/cmd/...")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var files []place.File
	for from, to := range map[string]string{
		filepath.Join(dir, "temper"):                 "/usr/bin/temper",
		filepath.Join(dir, "temper-generator"):       "/usr/lib/systemd/system-generators/temper-generator",
		"../packaging/systemd/temper-prove@.service": "/usr/lib/systemd/system/temper-prove@.service",
	} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, place.File{Name: to, Data: data, Mode: 0o755})
	}
	return files
}

// TestSystemdProveAtBoot boots once with services that nobody has proven: each is proven before it starts, and starts hardened
// in the same boot, or as its vendor wrote it.
func TestSystemdProveAtBoot(t *testing.T) {
	base := programs(t)
	for _, name := range []string{"bookworm", "trixie", "sid"} {
		t.Run(name, func(t *testing.T) {
			file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
			files := append([]place.File{file("/etc/temper/temper.toml", "unproven = \"prove\"\n")}, base...)
			service := func(name, service, profile string) {
				files = append(files,
					file("/usr/lib/systemd/system/"+name+".service", "[Service]\n"+service+"\n"),
					file("/etc/systemd/system/multi-user.target.d/"+name+".conf", "[Unit]\nWants="+name+".service\n"),
					file("/etc/temper/profiles.d/"+name+".toml", "units = [\""+name+".service\"]\n\n[service]\nNoNewPrivileges = true\n"+
						"ProtectSystem = \"strict\"\n\n[prove]\nsettle = \"300ms\"\ntimeout = \"3s\"\n"+profile))
			}
			service("passes", "ExecStart=/bin/sleep infinity", "")
			service("demoted", "ExecStart=/bin/sh -c 'touch /srv/x && exec sleep infinity'", "")
			service("broken", "ExecStart=/bin/sleep infinity", "\n[[check]]\nname = \"never\"\nexec = [\"/bin/false\"]\nretry = \"100ms\"\n")
			service("hangs", "Type=notify\nTimeoutStartSec=2s\nExecStart=/bin/sleep infinity", "")
			begin := time.Now()
			p, err := place.Container(t.Context(), place.Options{Image: testroot.Path(t, name), Files: files, Unit: "multi-user.target", Timeout: 2 * time.Minute})
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			if took := time.Since(begin); took > time.Minute {
				t.Errorf("the boot took %s", took)
			}
			out := command(t, p, "for u in passes demoted broken hangs; do for p in ActiveState NoNewPrivileges ProtectSystem ReadWritePaths; do "+
				"systemctl show -P $p $u; done | xargs echo $u; done")
			want := "passes active yes strict\n" + "demoted active yes strict -/srv/x\n" + "broken active no no\n" + "hangs failed no no\n"
			if diff := cmp.Diff(want, out); diff != "" {
				t.Errorf("after the boot (-want +got):\n%s\n%s", diff, command(t, p, "journalctl -b --no-pager | grep temper | tail -30"))
			}
			if out := command(t, p, "cat /run/systemd/generator/broken.service.d/50-temper.conf 2>&1"); !strings.Contains(out, "No such file") {
				t.Errorf("a service that cannot be proven would be tried at every boot: %s", out)
			}
		})
	}
}
