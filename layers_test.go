// Package temper_test holds what is true of the tree as a whole.
package temper_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers are the packages of the product from the bottom up: each imports only what stands above it in this list, and
// packages of one line do not import each other. An element ending in a slash stands for all packages below it.
var layers = [][]string{
	{
		"internal/hint", "internal/quote", "internal/kmsg", "internal/rootdir", "internal/junit", "internal/sarif",
		"internal/elf32", "internal/refusal", "internal/scarce",
		"internal/tomlpos", "internal/journal", "internal/systemd", "internal/plain",
	},
	{"internal/ready"},
	{"internal/host"},
	{"internal/unit"},
	{"internal/values"},
	{"internal/syscalls", "internal/privilege"},
	{"internal/directive"},
	{"internal/verdict", "internal/refusallog", "needs"},
	{"profiles"},
	{"profiles/lint"},
	{"analyzer/exposure"},
	{"internal/interpret"},
	{"internal/offline", "generator"},
	{"analyzer", "analyzer/online", "analyzer/policy"},
	{
		"analyzer/report", "internal/explain", "internal/manual", "internal/systemdflags", "export", "survey/shard",
		"survey/results", "survey/debian",
	},
	{"internal/inforce", "report", "fleet"},
	{"internal/output", "renew"},
	{"internal/analysis"},
	{"harness/place/namespace", "harness/place/owner", "harness/place/kernelstate", "harness/place/users"},
	{"harness/place/overlay", "harness/place/cgroup", "harness/place/network", "harness/place/shared"},
	{"harness/place/hostcopy", "harness/place/nspawn"},
	{"harness/place", "harness/witness", "harness/attach", "harness/proc"},
	{"harness/proc/proctest"},
	{
		"harness/check", "harness/observe", "harness/confine", "harness/probe", "harness/lock", "harness/clone",
		"needs/recorder",
	},
	{"harness/filechanges"},
	{"harness/trial"},
	{"harness/blame", "harness/usage"},
	{"harness/search", "harness/servicedata"},
	{"harness"},
	{"harness/batch", "harness/runningunit", "guard"},
	{"draft"},
	{"apply", "survey", "watch", "review"},
	{"cmd/", "packaging/prove-library"},
}

func layer(path string) int {
	return slices.IndexFunc(layers, func(names []string) bool {
		return slices.ContainsFunc(names, func(n string) bool {
			return path == n || strings.HasSuffix(n, "/") && strings.HasPrefix(path, n)
		})
	})
}

// listed is a package. Those of this module are named as from its top: ./harness.
type listed struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	module, err := exec.Command("go", "list", "-m").Output()
	if err != nil {
		t.Fatalf("go list -m: %v", err)
	}
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	local := func(path string) string {
		if below, ours := strings.CutPrefix(path, strings.TrimSpace(string(module))+"/"); ours {
			return "./" + below
		}
		return path
	}
	var packages []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = local(p.ImportPath)
		for i, path := range p.Imports {
			p.Imports[i] = local(path)
		}
		packages = append(packages, p)
	}
}

func TestImportsPointDownward(t *testing.T) {
	for _, p := range list(t, "./...") {
		name, ours := strings.CutPrefix(p.ImportPath, "./")
		if !ours || name == "integration" || name == "packaging" || name == "internal/testroot" ||
			strings.HasSuffix(name, "/gen") || strings.HasSuffix(name, "/document") {
			continue // tests, and what makes tables
		}
		mine := layer(name)
		if mine < 0 {
			t.Errorf("%s is in no layer: add it to the list", name)
			continue
		}
		for _, i := range p.Imports {
			other, ours := strings.CutPrefix(i, "./")
			if ours && layer(other) >= mine {
				t.Errorf("%s imports %s, which is not below it", name, other)
			}
		}
	}
}

// TestGeneratorIsSmall: what runs on every boot knows no command line library, no bus, no HTTP and starts no process.
func TestGeneratorIsSmall(t *testing.T) {
	forbidden := []string{
		"github.com/spf13/cobra", "github.com/godbus/dbus/v5", "github.com/coreos/go-systemd/v22/dbus", "net/http",
		"net", "os/exec",
		"./harness", "./analyzer",
	}
	for _, p := range list(t, "-deps", "./cmd/temper-decide") {
		if slices.Contains(forbidden, p.ImportPath) {
			t.Errorf("temper-decide imports %s", p.ImportPath)
		}
	}
	allowed := []string{"./cmd/temper-generator", "./internal/kmsg", "./internal/ready", "./internal/rootdir"}
	for _, p := range list(t, "-deps", "./cmd/temper-generator") {
		if strings.HasPrefix(p.ImportPath, "./") && !slices.Contains(allowed, p.ImportPath) ||
			slices.Contains([]string{"os", "fmt", "regexp"}, p.ImportPath) {
			t.Errorf("temper-generator imports %s, and each import costs every boot", p.ImportPath)
		}
	}
}
