//go:build packages

package packaging_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/testroot"
	"temper/internal/verdict"
)

func init() { whole = true }

// TestSystemdRPM builds a service with the macros, installs it beside temper, upgrades it and removes everything again,
// by rpm itself: in the tree in which packages are built, which is no Fedora, but has rpm and boots systemd. It wants
// make rpm.
func TestSystemdRPM(t *testing.T) {
	m := &machine{t, testroot.Path(t, "builder")}
	files, err := below("../dist/rpm", "/srv")
	must(t, err)
	source, err := below("testdata/greeter", "/build/greeter")
	must(t, err)
	b := m.boot(append(files, source...)...)
	b.run("mkdir -p /var/lib/rpm && rpm --initdb && rm /srv/*.src.rpm")
	before := b.files()

	b.run("rpm --install --nodeps /srv/temper*.rpm && temper --version && rpm --verify --nodeps temper " +
		"temper-profiles temper-rpm-macros")
	if diff := cmp.Diff(linked(t), b.run("rpm --query --provides temper | grep ^bundled | LC_ALL=C sort")); diff != "" {
		t.Errorf("Go modules in the package (-want +got):\n%s", diff)
	}
	b.run("systemctl is-active temper-prove.path temper-prove.timer temper-guard.timer")
	// What follows is to be seen from the file trigger alone.
	b.run("systemctl disable --now temper-prove.path temper-prove.timer")

	build := "rpmbuild -bb --nodeps --define '_sourcedir /build/greeter' --define '_topdir /build/rpm' "
	b.run(build + "/build/greeter/greeter.spec && rpm --install --nodeps /build/rpm/RPMS/noarch/greeter-1-1.noarch.rpm")
	b.run("rpm -ql greeter | grep -x /usr/lib/temper/profiles.d/greeter.toml")
	b.wait("journalctl --sync; journalctl -u temper-prove.service | grep -q 'greeter.service: proven'")
	b.wait(rests)
	b.run("systemctl start greeter && " + hardened("greeter"))
	b.run(provedFirst("greeter"))

	b.run("echo '# This is the second version.' >>/build/greeter/greeter && " + build +
		"--define 'version_to_build 2' /build/greeter/greeter.spec")
	b.run("rpm --upgrade --nodeps /build/rpm/RPMS/noarch/greeter-2-1.noarch.rpm && temper status greeter | grep " +
		"'stale.*executable'")
	b.wait("journalctl --sync; journalctl -u temper-prove.service | grep -q 'greeter.service: proven'")
	b.run("systemctl restart greeter")
	b.wait(hardened("greeter"))
	if v := b.verdict("greeter.service"); v.Result != verdict.Proven || v.Place != "container" {
		t.Errorf("after the upgrade greeter is %s in the place %s, want proven in a container", v.Result, v.Place)
	}

	status, out := b.try("sed -i s/ProtectSystem/ProtectSytem/ /build/greeter/debian/greeter.temper.toml; " + build +
		"/build/greeter/greeter.spec 2>&1")
	if status == 0 || !strings.Contains(out, "ProtectSytem") {
		t.Errorf("a profile with a mistake is packaged, or the mistake not named: status %d\n%s", status, out)
	}

	b.run("systemctl stop greeter && rpm --erase greeter && rpm --erase temper temper-profiles temper-rpm-macros")
	if left := without(differences(before, b.files()),
		append(restless, "/var/lib/rpm", "/var/lib/greeter", "/usr/share/licenses", "/usr/share/zsh/site-functions",
			"/var/tmp", "/build", "/root")); len(left) > 0 {
		t.Errorf("left over or changed: %q", left)
	}
}

// linked are the Go modules of which the programs are made, as Fedora wants a package to provide them: a line each.
func linked(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "-f",
		`{{with .Module}}{{if .Version}}bundled(golang({{.Path}})) = {{slice .Version 1}}{{end}}{{end}}`,
		"../cmd/...").Output()
	must(t, err)
	return strings.Join(slices.Compact(slices.Sorted(strings.Lines(string(out)))), "")
}
