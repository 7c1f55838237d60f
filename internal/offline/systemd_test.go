package offline_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/analyzer/exposure"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/testroot"
)

var update = flag.Bool("update", false, "write testdata/golden.json.gz from what systemd says")

// withOffline are the trees whose systemd-analyze has --offline.
var withOffline = []string{"bookworm", "trixie", "sid"}

// scored is what systemd-analyze says of one unit.
type scored struct {
	Unit    string          `json:"unit"`
	Overall string          `json:"overall"` // "9.6 UNSAFE"
	Rows    json.RawMessage `json:"rows"`
}

// security runs the tree's own systemd-analyze over files of it. complaints is what it wrote to stderr.
func security(t *testing.T, tree, copies string, env []string, files ...string) (all []scored, complaints string) {
	t.Helper()
	return securityWith(t, tree, copies, env, nil, files...)
}

// securityWith is security with more options.
func securityWith(
	t *testing.T,
	tree, copies string,
	env, options []string,
	files ...string,
) (all []scored, complaints string) {
	t.Helper()
	run := func(args ...string) (stdout, stderr string) {
		t.Helper()
		c := testroot.Command(t, tree, copies, slices.Concat([]string{"env"}, env,
			[]string{"systemd-analyze", "security", "--offline=yes", "--no-pager"}, options, args, files)...)
		var out, errs bytes.Buffer
		c.Stdout, c.Stderr = &out, &errs
		// It exits with 1 if any unit is refused.
		if err := c.Run(); err != nil && out.Len() == 0 {
			t.Logf("systemd-analyze: %v: %s", err, errs.String())
		}
		return out.String(), errs.String()
	}
	table, complaints := run()
	overalls := regexp.MustCompile(`(?m)^.*Overall exposure level for (\S+): (\S+ [A-Z]+)`).
		FindAllStringSubmatch(table, -1)
	docs, _ := run("--json=short")
	decoder := json.NewDecoder(strings.NewReader(docs))
	for _, o := range overalls {
		s := scored{Unit: o[1], Overall: o[2]}
		if err := decoder.Decode(&s.Rows); err != nil {
			t.Fatalf("%s: %v: %s", s.Unit, err, complaints)
		}
		all = append(all, s)
	}
	if decoder.More() {
		t.Fatal("there are more tables than summaries")
	}
	return all, complaints
}

// score scores the same files with this package. failures are the errors, by file.
func score(
	t *testing.T,
	src offline.Source,
	files ...string,
) (all []scored, failures []error, ignored []exposure.Problem) {
	t.Helper()
	return scoreWith(t, exposure.Options{}, src, files...)
}

func scoreWith(
	t *testing.T,
	o exposure.Options,
	src offline.Source,
	files ...string,
) (all []scored, failures []error, ignored []exposure.Problem) {
	t.Helper()
	o.Version, o.Arch = src.Version, "x86_64"
	for u, err := range src.Named(files) {
		if err != nil {
			failures = append(failures, err)
			continue
		}
		r, err := offline.Score(u, o)
		if err != nil {
			if !errors.Is(err, exposure.ErrRefused) && !errors.Is(err, exposure.ErrMasked) {
				t.Errorf("%s: %v", u.Name, err)
			}
			failures = append(failures, err)
			continue
		}
		rows, err := json.Marshal(r.Rows)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, scored{r.Unit, exposure.Points(r.Exposure) + " " + r.Level, rows})
		ignored = append(ignored, r.Ignored...)
	}
	return all, failures, ignored
}

// same fails the test where the two differ, unit by unit.
func same(t *testing.T, want, got []scored, failures []error) {
	t.Helper()
	byName := func(list []scored) map[string]scored {
		m := map[string]scored{}
		for _, s := range list {
			m[s.Unit] = s
		}
		return m
	}
	wanted, gotten := byName(want), byName(got)
	for _, w := range want {
		g, ok := gotten[w.Unit]
		switch {
		case !ok:
			why := slices.IndexFunc(failures, func(err error) bool { return strings.Contains(err.Error(), w.Unit) })
			t.Errorf("%s: systemd loads it, temper does not: %v", w.Unit, append(failures, nil)[max(why, 0)])
		case w.Overall != g.Overall:
			t.Errorf("%s: got %s, systemd says %s", w.Unit, g.Overall, w.Overall)
			fallthrough
		case string(w.Rows) != string(g.Rows):
			t.Errorf(
				"%s: rows differ:\n%s",
				w.Unit,
				cmp.Diff(strings.Split(string(w.Rows), "},"), strings.Split(string(g.Rows), "},")),
			)
		}
	}
	for _, g := range got {
		if _, ok := wanted[g.Unit]; !ok {
			t.Errorf("%s: temper loads it, systemd does not", g.Unit)
		}
	}
	if len(want) == 0 {
		t.Error("systemd scored nothing")
	}
}

// sameComplaints compares where systemd and this package find something to complain of: path and line.
func sameComplaints(t *testing.T, complaints string, failures []error, ignored []exposure.Problem) {
	t.Helper()
	position := regexp.MustCompile(`(?m)^(/ut/\S+?:\d+): (.*)`)
	want, got := map[string]string{}, map[string]string{}
	for _, m := range position.FindAllStringSubmatch(complaints, -1) {
		if strings.Contains(m[2], "gnoring") && !strings.HasPrefix(m[2], "Ignoring unknown escape") {
			want[m[1]] = m[2]
		}
	}
	for _, err := range failures { // of these only the reason is known
		file, _, _ := strings.Cut(err.Error(), ".service")
		maps.DeleteFunc(want, func(at, _ string) bool { return strings.HasPrefix(at, file+".service") })
	}
	for _, p := range ignored {
		got[fmt.Sprintf("%s:%d", p.Path, p.Line)] = p.Message
	}
	for at, what := range want {
		if _, ok := got[at]; !ok {
			t.Errorf("%s: systemd says %q, temper nothing", at, what)
		}
	}
	for at, what := range got {
		if _, ok := want[at]; !ok && !silent.MatchString(what) {
			t.Errorf("%s: temper says %q, systemd nothing", at, what)
		}
	}
}

// silent are complaints that systemd does not make, or does not call ignoring: about capabilities that do not exist,
// and about the rest of a drop-in.
var silent = regexp.MustCompile(`^(AmbientCapabilities|CapabilityBoundingSet)= has|rest of the drop-in`)

// TestSystemdGolden compares every unit of testdata/golden.txtar with the real systemd-analyze, byte for byte.
func TestSystemdGolden(t *testing.T) {
	t.Parallel()
	results := map[string][]scored{}
	var mu sync.Mutex
	t.Cleanup(func() {
		if *update {
			writeGolden(t, results)
		}
	})
	for _, name := range withOffline {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := testroot.Path(t, name)
			root := extract(t, "testdata/golden.txtar")
			files := services(t, filepath.Join(root, "ut"), "/ut")
			want, complaints := security(t, tree, root+"/ut:/ut", []string{"SYSTEMD_UNIT_PATH="}, files...)
			mu.Lock()
			results[name] = want
			mu.Unlock()
			got, failures, ignored := score(
				t,
				offline.Source{Root: host.At(root), Path: []string{}, Version: testroot.Versions[name]},
				files...)
			same(t, want, got, failures)
			sameComplaints(t, complaints, failures, ignored)
		})
	}
}

// TestSystemdUser compares every unit of testdata/golden.txtar as the manager of a user reads it.
func TestSystemdUser(t *testing.T) {
	t.Parallel()
	for _, name := range withOffline {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := testroot.Path(t, name)
			root := extract(t, "testdata/golden.txtar")
			files := services(t, filepath.Join(root, "ut"), "/ut")
			env := []string{"SYSTEMD_UNIT_PATH=", "XDG_RUNTIME_DIR=/run", "HOME=/root"}
			want, _ := securityWith(t, tree, root+"/ut:/ut", env, []string{"--user"}, files...)
			src := offline.Source{Root: host.At(root), Path: []string{}, Version: testroot.Versions[name]}
			got, failures, _ := scoreWith(t, exposure.Options{User: true}, src, files...)
			same(t, want, got, failures)
		})
	}
}

// TestSystemdRoots compares every service of the trees.
func TestSystemdRoots(t *testing.T) {
	t.Parallel()
	for _, name := range withOffline {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := testroot.Path(t, name)
			files := services(t, filepath.Join(tree, "usr/lib/systemd/system"), "/usr/lib/systemd/system")
			want, _ := security(t, tree, "", nil, files...)
			got, failures, _ := score(
				t,
				offline.Source{Root: host.At(tree), Version: testroot.Versions[name]},
				files...)
			same(t, want, got, failures)
			t.Logf("%d of %d units of %s are the same, systemd refuses %d", len(want), len(files), name, len(failures))
		})
	}
}

// services lists the service units in a directory by the names that they have inside the tree.
func services(t *testing.T, dir, inside string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".service") {
			files = append(files, filepath.Join(inside, e.Name()))
		}
	}
	return files
}

// TestSystemdDaemons compares the services of many Debian packages, as packaged and with a drop-in that hardens them.
func TestSystemdDaemons(t *testing.T) {
	t.Parallel()
	for _, name := range withOffline {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree, daemons := testroot.Path(t, name), testroot.Daemons(t, name)
			const inside = "/usr/lib/systemd/system"
			files := services(t, daemons+inside, inside)
			if len(files) < 100 {
				t.Fatalf("%s has %d services, want a hundred", daemons, len(files))
			}
			compare := func(root string) {
				t.Helper()
				at := make([]string, len(files))
				for i, f := range files {
					at[i] = "/ut" + f
				}
				want, _ := security(t, tree, root+":/ut", []string{"SYSTEMD_UNIT_PATH="}, at...)
				got, failures, _ := score(
					t,
					offline.Source{Root: host.At(root), Path: []string{}, Version: testroot.Versions[name]},
					files...)
				same(t, want, got, failures)
				t.Logf("%d of %d units are the same, systemd refuses %d", len(want), len(files), len(failures))
			}
			compare(daemons)
			compare(hardened(t, daemons, files))
		})
	}
}

// dropins harden in ways that meet what units set themselves: they add, take away, reset and imply.
var dropins = []string{
	"ProtectSystem=strict\nReadWritePaths=/var\nProtectHome=tmpfs\nPrivateTmp=disconnected\nPrivateDevices=yes\n" +
		"UMask=0077\n",
	"SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\nSystemCallArchitectures=native\n" +
		"NoNewPrivileges=yes\n",
	"SystemCallFilter=~@clock @module @mount @reboot @swap\nRestrictNamespaces=~user pid\n" +
		"RestrictAddressFamilies=~AF_PACKET\n",
	"CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_SETUID CAP_SETGID\nAmbientCapabilities=\n" +
		"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6\n",
	"CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_SYS_PTRACE\nProtectClock=yes\nDevicePolicy=closed\n" +
		"DeviceAllow=char-rtc r\n",
	"SystemCallFilter=\nCapabilityBoundingSet=\nRestrictNamespaces=yes\nIPAddressDeny=any\nIPAddressAllow=localhost\n",
	"DynamicUser=yes\nProtectProc=invisible\nProcSubset=pid\nProtectHostname=yes\nProtectControlGroups=strict\n" +
		"PrivateUsers=identity\n",
	"RestrictNamespaces=\nSystemCallFilter=~@mount:EPERM\nProtectKernelModules=yes\nProtectKernelLogs=yes\n" +
		"ProtectKernelTunables=yes\n",
}

// hardened copies unit files and gives each a drop-in.
func hardened(t *testing.T, daemons string, files []string) string {
	t.Helper()
	root := t.TempDir()
	if out, err := exec.Command("cp", "-a", daemons+"/.", root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, file := range files {
		dir := root + file + ".d"
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/50-temper.conf", []byte("[Service]\n"+dropins[i%len(dropins)]),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// testPolicy is a policy of systemd's own kind: rows left out, other weights, other ranges, other sentences.
const testPolicy = `{
	"PrivateNetwork": {"weight": 0},
	"PrivateDevices": {"weight": 5000, "description_bad": "has devices", "description_good": "has no devices"},
	"ProtectHome": {"range": 20, "description_bad": "never seen"},
	"UMask": {"weight": 333, "range": 17},
	"RemoveIPC": {"description_na": "whatever"},
	"CapabilityBoundingSet_CAP_NET_BIND_SERVICE_BROADCAST_RAW)": {"weight": 1, "range": 3}
}`

// TestSystemdPolicy compares scores under a policy of systemd's own kind.
func TestSystemdPolicy(t *testing.T) {
	t.Parallel()
	p, _, err := exposure.ParseSecurityPolicy([]byte(testPolicy))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range withOffline {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := testroot.Path(t, name)
			root := extract(t, "testdata/golden.txtar")
			if err := os.WriteFile(root+"/ut/test.policy", []byte(testPolicy), 0o644); err != nil {
				t.Fatal(err)
			}
			files := services(t, root+"/ut", "/ut")[:200]
			want, _ := securityWith(
				t,
				tree,
				root+"/ut:/ut",
				[]string{"SYSTEMD_UNIT_PATH="},
				[]string{"--security-policy=/ut/test.policy"},
				files...)
			got, failures, _ := scoreWith(
				t,
				exposure.Options{Policy: p},
				offline.Source{Root: host.At(root), Path: []string{}, Version: testroot.Versions[name]},
				files...)
			same(t, want, got, failures)
		})
	}
}
