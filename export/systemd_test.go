package export_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/export"
	"temper/harness/place"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// machine is a place in which exports are installed as a person would.
type machine struct {
	*testing.T
	*place.Place
}

func (m machine) run(script string) string {
	m.Helper()
	r, err := m.Place.Run(m.Context(), place.Command{Args: []string{"sh", "-ec", script}, Timeout: time.Minute})
	if err != nil || r.Status != 0 {
		m.Fatalf("%v, %d: %s%s\n%s", err, r.Status, r.Stdout, r.Stderr, script)
	}
	return r.Stdout
}

func (m machine) write(name, text string) {
	m.Helper()
	if err := m.WriteFile(name, []byte(text), 0o644); err != nil {
		m.Fatal(err)
	}
}

// state is what systemd and the kernel say of a service after it was started again: its exposure, and of its main
// process the privileges, filters, namespaces and mounts.
func (m machine) state(name string) string {
	m.Helper()
	return m.run(fmt.Sprintf(`systemctl daemon-reload
systemctl reset-failed %[1]s
systemctl restart %[1]s
systemd-analyze security %[1]s | sed -n 's/.*Overall exposure level for [^ ]*: \([0-9.]*\) .*/exposure \1/p'
pid=$(systemctl show --value -p MainPID %[1]s)
grep -E '^(Cap|NoNewPrivs|Seccomp|Umask)' /proc/$pid/status
for ns in /proc/$pid/ns/*; do test "$(readlink $ns)" = "$(readlink /proc/1/ns/${ns##*/})" || echo "own ${ns##*/}"; done
sed 's/^[0-9]* [0-9]* [0-9:]* //; s/\(shared\|master\|propagate_from\):[0-9]* //g; s/systemd-private-[^ ]*//' /proc/$pid/mountinfo | sort
`, name))
}

// TestSystemdForms: each form, installed with the tools that it is for, gives real systemd the same exposure and the
// service's main process the same /proc as the drop-in that was proven.
func TestSystemdForms(t *testing.T) {
	root := testroot.Path(t, "export")
	where, err := place.Container(t.Context(), place.Options{Image: root})
	if err != nil {
		t.Fatal(err)
	}
	defer where.Close()
	// What the boot still mounts would be taken for a difference.
	machine{t, where}.run("timeout 50 systemctl is-system-running --wait || :")
	for name, forms := range map[string][]string{
		"nginx.service":        slices.Sorted(maps.Keys(export.Forms)),
		"redis-server.service": {"dropin", "patch"}, // its own unit is hardened already
	} {
		t.Run(name, func(t *testing.T) { compareForms(machine{t, where}, name, forms) })
	}
}

func compareForms(m machine, name string, forms []string) {
	dir, err := filepath.Abs("../profiles/verdicts")
	if err != nil {
		m.Fatal(err)
	}
	v, err := verdict.Store{Dirs: []string{dir}}.Get(name)
	if err != nil {
		m.Fatal(err)
	}
	u, err := (&unit.Loader{Root: m.Root()}).Load(name)
	if err != nil {
		m.Fatal(err)
	}
	text, err := m.Root().ReadFile(u.Fragment)
	if err != nil {
		m.Fatal(err)
	}
	v.Fingerprint.Unit = "" // an update of the package is no fault of what is exported
	plain := m.state(name)
	m.write("/run/systemd/system/"+name+".d/50-temper.conf", v.Dropin)
	want := m.state(name)
	if want == plain || !strings.HasPrefix(want, fmt.Sprintf("exposure %.1f\n", v.Exposure.After)) {
		m.Fatalf("hardened as proven it is %.60s\nand was %.60s", want, plain)
	}
	m.run("rm -r /run/systemd/system/" + name + ".d")
	h, err := export.New(export.Source{Unit: u, Fragment: string(text), Verdict: v})
	if err != nil {
		m.Fatal(err)
	}
	for _, as := range forms {
		text, err := export.Forms[as](h)
		if err != nil {
			m.Fatal(err)
		}
		undo := m.install(as, u, text)
		if got := m.state(name); got != want {
			diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n"))
			m.Errorf("%s differs from what was proven (-proven +exported):\n%s\nby\n%s", as, diff, text)
		}
		m.run(undo)
	}
}

// install installs an export and returns the command that removes it.
func (m machine) install(as string, u *unit.Unit, text string) (undo string) {
	dropin := path.Join("/etc/systemd/system", u.ID+".d", export.Dropin)
	undo = "rm " + dropin
	m.write("/root/export", text)
	switch as {
	case "dropin":
		m.write(dropin, text)
	case "patch":
		m.run("cp " + u.Fragment + " /root/kept; patch -p1 -d " + path.Dir(u.Fragment) + " </root/export")
		return "cp /root/kept " + u.Fragment
	case "ansible":
		m.write("/root/play.yml", "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - import_tasks: export\n")
		m.run("LC_ALL=C.UTF-8 ansible-playbook -c local -i localhost, /root/play.yml")
	case "nix":
		m.write(dropin, m.nixos(strings.TrimSuffix(u.ID, ".service")))
	default:
		m.Fatalf("nothing installs %q", as)
	}
	return undo
}

// nixos evaluates the module with nix and writes its values as NixOS does: a line for each, or for each of a list.
func (m machine) nixos(name string) string {
	const call = `(import /root/export { lib.mkDefault = x: x; }).systemd.services`
	var services map[string]struct{ ServiceConfig map[string]any }
	out := m.run("NIX_STATE_DIR=/tmp/nix nix-instantiate --eval --strict --json --expr '" + call + "' --store dummy://")
	if err := json.Unmarshal([]byte(out), &services); err != nil {
		m.Fatalf("%v: %s", err, out)
	}
	text := "[Service]\n"
	for _, key := range slices.Sorted(maps.Keys(services[name].ServiceConfig)) {
		values, many := services[name].ServiceConfig[key].([]any)
		if !many {
			values = []any{services[name].ServiceConfig[key]}
		}
		for _, v := range values {
			text += fmt.Sprintf("%s=%v\n", key, v)
		}
	}
	return text
}
