package integration_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// programs are the programs as a package would have them.
func programs(t *testing.T) []place.File {
	t.Helper()
	files, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Clone(files)
}

var built = sync.OnceValues(func() ([]place.File, error) {
	dir, err := os.MkdirTemp("", "temper-integration")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", dir+"/", "../cmd/...", "../testdata/trap")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	files := []place.File{
		{Name: "/usr/bin/temper", Mode: 0o755},
		{Name: "/usr/lib/systemd/system-generators/temper-generator", Mode: 0o755},
		{Name: "/usr/lib/temper/temper-decide", Mode: 0o755},
		{Name: "/usr/local/bin/trap", Mode: 0o755},
		{Name: "/usr/lib/systemd/system/temper-prove@.service", Mode: 0o644},
	}
	for i, f := range files {
		from := filepath.Join(dir, filepath.Base(f.Name))
		if strings.HasSuffix(f.Name, ".service") {
			from = "../packaging/systemd/" + filepath.Base(f.Name)
		}
		if files[i].Data, err = os.ReadFile(from); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// later are file systems that are mounted after generators have run: /opt has a program, /var and /home are empty.
func later() []place.File {
	file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
	mount := func(where, what string) place.File {
		return file("/etc/systemd/system/"+where+".mount", "[Mount]\nWhere=/"+where+"\n"+what+"\n")
	}
	return []place.File{
		mount("opt", "What=/srv/opt\nType=none\nOptions=bind"), mount("var", "What=tmpfs\nType=tmpfs"),
		mount("home", "What=tmpfs\nType=tmpfs"),
		file("/etc/systemd/system/local-fs.target.d/later.conf",
			"[Unit]\nRequires=opt.mount var.mount home.mount\nAfter=opt.mount var.mount home.mount\n"),
		{Name: "/srv/opt/daemon", Data: []byte("#!/bin/sh\nexec /bin/sleep infinity\n"), Mode: 0o755},
	}
}

// slow is a generator that takes its time, notes whether it can see what is in /opt, makes the service made and adds to
// another.
const slow = `#!/bin/sh
/bin/sleep 0.3
[ -e /opt/daemon ] || echo unseen >/run/opt
printf '[Service]\nExecStart=/bin/sleep infinity\nLimitNOFILE=1000\n' >"$1/made.service"
/bin/mkdir -p "$1/passes.service.d"
printf '[Service]\nLimitNOFILE=1000\n' >"$1/passes.service.d/60-limit.conf"
`

// TestSystemdProveAtBoot boots with services that nobody has proven: each is proven before it starts, and starts
// hardened in the same boot, or as its vendor wrote it. The next boot of the same root proves nothing and only writes.
// One service has its program on a file system that is not there yet when generators run, one is made by another
// generator.
func TestSystemdProveAtBoot(t *testing.T) {
	t.Parallel()
	base := append(programs(t), place.File{
		Name: "/etc/dbus-1/system.d/named.conf",
		Data: []byte(`<busconfig><policy user="root"><allow own="com.example.Named"/></policy></busconfig>`),
	})
	for _, name := range []string{"bookworm", "trixie", "sid"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := func(name, text string) place.File { return place.File{Name: name, Data: []byte(text)} }
			files := append([]place.File{
				file("/etc/temper/temper.toml", "unproven = \"prove\"\n"),
				{Name: "/etc/systemd/system-generators/slow", Data: []byte(slow), Mode: 0o755},
			}, slices.Concat(base, later())...)
			service := func(name, service, profile string) {
				timeout, apply := "20s", "apply = [\"started\"]\n" // all are proven at once
				if name == "unused" {
					apply = ""
				}
				if name == "hangs" {
					timeout = "3s"
				}
				if service != "" {
					files = append(files, file("/usr/lib/systemd/system/"+name+".service", "[Service]\n"+service+"\n"))
				}
				files = append(files,
					file("/etc/systemd/system/multi-user.target.d/"+name+".conf", "[Unit]\nWants="+name+".service\n"),
					file("/etc/temper/profiles.d/"+name+".toml", "units = [\""+name+
						".service\"]\n"+apply+"\n[service]\nNoNewPrivileges = true\n"+
						"ProtectSystem = \"strict\"\n\n[prove]\nsettle = \"300ms\"\ntimeout = \""+timeout+"\"\n"+
						profile))
			}
			service("passes", "StateDirectory=passes\nExecStart=/bin/sh -c 'echo started >>/var/lib/passes/log; exec "+
				"sleep infinity'", "state = \"restore\"\n")
			service("demoted", "ExecStart=/bin/sh -c 'touch /srv/x && exec sleep infinity'", "")
			service("unused", "ExecStart=/bin/sleep infinity",
				"\n[[check]]\nname = \"never\"\nexec = [\"/bin/false\"]\nretry = \"100ms\"\n")
			service("hangs", "Type=notify\nTimeoutStartSec=2s\nExecStart=/bin/sleep infinity", "")
			service("named", "Type=dbus\nBusName=com.example.Named\nExecStart=/usr/local/bin/trap sleep=300ms "+
				"bus=com.example.Named\nExecStartPost=busctl status com.example.Named", "")
			service("far", "ExecStart=/opt/daemon", "")
			service("made", "", "")
			options := place.Options{
				Trusted: true, Image: testroot.Path(t, name), Files: files,
				Unit: "multi-user.target", Timeout: 3 * time.Minute,
			}
			p, err := place.Container(t.Context(), options)
			if err != nil {
				t.Fatalf("%v\nhint: %s", err, hint.Of(err))
			}
			defer p.Close()
			started(t, p)
			out := command(t, p, "cat /run/systemd/generator/unused.service.d/50-temper.conf 2>&1")
			if !strings.Contains(out, "No such file") {
				t.Errorf("a service that nobody used is hardened at every boot: %s", out)
			}
			p = bootAgain(t, p, testroot.Path(t, name), options)
			started(t, p)
			if out := command(t, p, "cat /run/opt; systemctl show -P InactiveExitTimestampMonotonic 'temper-prove@*' "+
				"| grep -v '^0$'; true"); out != "unseen\n" {
				t.Errorf("the second boot proved again, or its generators could see /opt: %s", out)
			}
		})
	}
}

// started finds each service hardened as it was proven, or as its vendor wrote it, and nothing in its data from trials.
func started(t *testing.T, p *place.Place) {
	t.Helper()
	out := command(t, p, "for u in passes demoted unused hangs named far made; do for p in ActiveState "+
		"NoNewPrivileges ProtectSystem ReadWritePaths; do "+
		"systemctl show -P $p $u; done | xargs echo $u; done")
	out += command(t, p, "cat /var/lib/passes/log")
	want := "passes active yes strict\n" + "demoted active yes strict -/srv/x\n" + "unused active no no\n" +
		"hangs failed no no\n" +
		"named active yes strict\n" + "far active yes strict\n" + "made active yes strict\n" + "started\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("after the boot (-want +got):\n%s\n%s", diff,
			command(t, p, "journalctl -b --no-pager -t temper | tail -60"))
	}
}
