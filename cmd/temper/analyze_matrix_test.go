package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"temper/internal/testroot"
)

// An invocation is what follows "systemd-analyze security", and what temper makes of it.
type invocation struct {
	args string // quoted for sh; temper analyze gets the same
	ours string // what temper analyze gets instead
	// why says why temper does otherwise than systemd-analyze, in versions or, without any, in all.
	why      string
	versions []int
}

// matrix holds every option of systemd-analyze(1) that "security" takes, by itself and with others. Each is tried in
// testdata/analyze-matrix.txtar, unpacked in /ut, which is the working directory.
var matrix = []struct {
	name string
	list []invocation
}{
	{"units", []invocation{
		{args: "--offline=yes testfile.service"},
		{args: "--offline=yes ./testfile.service"},
		{args: "--offline=yes ../ut/testfile.service"},
		{args: "--offline=yes /ut/testfile.service"},
		{args: "--offline=yes testfile.service foo@bar.service"},
		{args: "--offline=yes testfile.service /ut/foo@bar.service systemd-journald.service"},
		{args: "--offline=yes testfile.service testfile.service"},
		{args: "--offline=yes none.service testfile.service"},
		{args: "--offline=yes testfile.service none.service foo@bar.service"},
		{args: "--offline=yes -- testfile.service"},
		{args: "--offline=yes foo@bar.service"},
		{args: "--offline=yes /ut/foo@bar.service"},
		{args: "--offline=yes foo@.service"},
		{args: "--offline=yes /ut/foo@.service"},
		{args: "--offline=yes hoge@test.service"},
		{args: "--offline=yes /ut/hoge@.service"},
		{args: "--offline=yes /ut/hoge@none.service"},
		{args: "--offline=yes systemd-journald.service"},
		{args: "--offline=yes /elsewhere/testfile.service"},
		{args: "--offline=yes /two/testfile.service"},
		{
			args: "--offline=yes /ut/testfile.service /two/testfile.service",
			why:  "temper scores each of two files of one name",
		},
		{args: "--offline=yes masked.service"},
		{args: "--offline=yes refused.service"},
		{args: "--offline=yes dropin.service"},
		{args: "--offline=yes none.service"},
		{args: "--offline=yes none.socket"},
		{args: "--offline=yes ''"},
		{args: "--offline=yes /ut/"},
		{args: "--offline=yes 'test file.service'"},
		{args: "--offline=yes 'systemd-*.service'"},
		{
			args: "--offline=yes testfile",
			why:  "temper completes a name without a suffix, as systemd-analyze does without --offline",
		},
		{args: "--offline=yes x.socket", why: "temper scores services only, as systemd-analyze does without --offline"},
		{args: "--offline=yes x.target", why: "temper scores services only, as systemd-analyze does without --offline"},
		{args: "--offline=yes", why: "temper scores all services of the machine; systemd-analyze scores nothing or " +
			"refuses"},
		{args: "systemd-journald.service", why: "temper reads the unit files where no manager runs"},
	}},
	{"offline", []invocation{
		{args: "--offline=true testfile.service"},
		{args: "--offline=1 testfile.service"},
		{args: "--offline=on testfile.service"},
		{args: "--offline=maybe testfile.service"},
		{args: "--offline= testfile.service"},
		{args: "testfile.service --offline=yes"},
		{args: "--offline=no none.service"},
		{
			args: "--offline yes testfile.service",
			why:  "a value of --offline stands behind =, since temper takes it without one too",
		},
		{args: "--offline testfile.service", why: "temper takes --offline without a value"},
	}},
	{"json", []invocation{
		{args: "--offline=yes --json=short testfile.service"},
		{args: "--offline=yes --json=pretty testfile.service"},
		{args: "--offline=yes --json=off testfile.service"},
		{args: "--offline=yes --json short testfile.service"},
		{args: "--offline=yes --json=bogus testfile.service"},
		{args: "--offline=yes --json= testfile.service"},
		{args: "--offline=yes --json=short testfile.service none.service foo@bar.service"},
		{args: "--offline=yes --json=pretty testfile.service foo@bar.service hoge@test.service"},
		{args: "--offline=yes --json=short dropin.service"},
		{args: "--offline=yes --json=short --threshold=50 testfile.service"},
		{args: "--offline=yes --json=help testfile.service", why: "temper help analyze lists the modes"},
	}},
	{"threshold", []invocation{
		{args: "--offline=yes --threshold=90 testfile.service"},
		{args: "--offline=yes --threshold=96 testfile.service"},
		{args: "--offline=yes --threshold=95 testfile.service"},
		{args: "--offline=yes --threshold=94 testfile.service"},
		{args: "--offline=yes --threshold=93 testfile.service"},
		{args: "--offline=yes --threshold=0 testfile.service"},
		{args: "--offline=yes --threshold=1 testfile.service"},
		{args: "--offline=yes --threshold=9 testfile.service"},
		{args: "--offline=yes --threshold=11 testfile.service"},
		{args: "--offline=yes --threshold=100 testfile.service"},
		{args: "--offline=yes --threshold 95 foo@bar.service hoge@test.service"},
		{args: "--offline=yes --threshold=101 testfile.service"},
		{args: "--offline=yes --threshold=-1 testfile.service"},
		{args: "--offline=yes --threshold= testfile.service"},
		{args: "--offline=yes --threshold=90% testfile.service"},
		{args: "--threshold=90 --offline=yes --root=/img testfile.service"},
		{args: "--offline=yes --threshold=10 testfile.service", why: "up to 10 temper reads points: 10 is 10.0"},
		{args: "--offline=yes --threshold=9.9 testfile.service", why: "temper reads points"},
		{args: "--offline=yes --threshold=0x5F testfile.service", why: "temper reads decimal numbers"},
	}},
	{"security policy", []invocation{
		{args: "--offline=yes --json=short --security-policy=policy.json testfile.service"},
		{args: "--offline=yes --json=short --security-policy policy.json testfile.service"},
		{args: "--offline=yes --json=short --security-policy=/ut/policy.json testfile.service foo@bar.service"},
		{args: "--offline=yes --json=short --security-policy=empty-object.json testfile.service"},
		{args: "--offline=yes --json=short --security-policy=wrong-types.json testfile.service"},
		{args: "--offline=yes --json=short --security-policy=unknown.json testfile.service"},
		{args: "--offline=yes --json=short --security-policy=documented.json testfile.service"},
		{args: "--offline=yes --json=short --security-policy=mistyped.json testfile.service"},
		{args: "--offline=yes --json=short --security-policy=floats.json testfile.service"},
		{args: "--offline=yes --security-policy=range0.json testfile.service"},
		{args: "--offline=yes --security-policy=small-range.json testfile.service"},
		{args: "--offline=yes --security-policy=garbage.json testfile.service"},
		{args: "--offline=yes --security-policy=empty.json testfile.service"},
		{args: "--offline=yes --security-policy=two.json testfile.service"},
		{args: "--offline=yes --security-policy=missing.json testfile.service"},
		{args: "--offline=yes --security-policy=/ut testfile.service"},
		{args: "--offline=yes --json=short --security-policy= testfile.service"},
		{args: "--threshold=90 --offline=yes --security-policy=policy.json --root=/img testfile.service"},
		{args: "--threshold=50 --offline=yes --security-policy=policy.json --root=/img testfile.service"},
		{args: "--offline=yes --root=/img --security-policy=/only-in-img.json testfile.service"},
		{
			args: "--offline=yes --security-policy=array.json testfile.service", versions: []int{252, 257},
			why: "a policy that is no JSON object is refused, as 262 does, rather than passed over",
		},
	}},
	{"root and image", []invocation{
		{args: "--offline=yes --root=/img testfile.service"},
		{args: "--offline=yes --root=/img/ testfile.service"},
		{args: "--offline=yes --root /img testfile.service"},
		{args: "--offline=yes --root=/ testfile.service"},
		{args: "--offline=yes --root= testfile.service"},
		{args: "--offline=yes --root=/none testfile.service"},
		{args: "--offline=yes --root=/img foo@bar.service"},
		{args: "--offline=yes --root=/img /img/usr/lib/systemd/system/testfile.service"},
		{args: "--offline=yes --root=/img /usr/lib/systemd/system/testfile.service"},
		{args: "--offline=yes --root=/img /ut/foo@bar.service"},
		{args: "--offline=yes --image=/none testfile.service"},
		{args: "--offline=yes --image=/img testfile.service"},
		{args: "--offline=yes --root=/img --image=/none testfile.service"},
		{
			args: "--offline=yes --root=/img /ut/inside.service",
			why:  "with --root temper takes a path for one inside the root",
		},
		{args: "--root=/img testfile.service", why: "--root reads unit files without --offline too"},
	}},
	{"scope", []invocation{
		{args: "--offline=yes --system testfile.service"},
		{args: "--offline=yes --user --json=short testfile.service"},
		{args: "--offline=yes --user --json=short hoge@test.service"},
		{args: "--offline=yes --user --json=short dropin.service"},
		{args: "--offline=yes --user own.service"},
		{args: "--offline=yes --user shared.service"},
		{args: "--offline=yes --user systemd-journald.service"},
		{args: "--offline=yes --user none.service"},
		{args: "--offline=yes --user --root=/img testfile.service"},
		{args: "--offline=yes --global testfile.service"},
		{args: "--global testfile.service"},
		{args: "--offline=yes -M box testfile.service"},
		{args: "--offline=yes --machine=box testfile.service"},
		{args: "--offline=yes -H box testfile.service"},
		{args: "--offline=yes --host=box testfile.service"},
		{args: "-M box testfile.service"},
		{args: "--machine=box testfile.service"},
		{args: "-H box testfile.service"},
	}},
	{"portable profile", []invocation{
		{
			args: "--offline=yes --profile=strict testfile.service",
			ours: "--offline=yes --portable-profile=strict testfile.service",
		},
		{
			args: "--offline=yes --profile=mine testfile.service",
			ours: "--offline=yes --portable-profile=mine testfile.service",
		},
		{
			args: "--offline=yes --profile=./mine.conf testfile.service",
			ours: "--offline=yes --portable-profile=./mine.conf testfile.service",
		},
		{
			args: "--offline=yes --profile=/ut/mine.conf foo@.service",
			ours: "--offline=yes --portable-profile=/ut/mine.conf foo@.service",
		},
		{
			args: "--offline=yes --profile=strict before.service",
			ours: "--offline=yes --portable-profile=strict before.service",
		},
		{
			args: "--offline=yes --profile=strict behind.service",
			ours: "--offline=yes --portable-profile=strict behind.service",
		},
		{
			args: "--offline=yes --profile=strict same.service",
			ours: "--offline=yes --portable-profile=strict same.service",
		},
		{
			args: "--offline=yes --profile=strict --root=/img testfile.service",
			ours: "--offline=yes --portable-profile=strict --root=/img testfile.service",
		},
		{
			args: "--offline=yes --profile=mine.conf testfile.service",
			ours: "--offline=yes --portable-profile=mine.conf testfile.service",
		},
		{
			args: "--offline=yes --profile=none testfile.service",
			ours: "--offline=yes --portable-profile=none testfile.service",
		},
		{
			args: "--offline=yes --profile=/none testfile.service",
			ours: "--offline=yes --portable-profile=/none testfile.service",
		},
		{args: "--offline=yes --profile= testfile.service", ours: "--offline=yes --portable-profile= testfile.service"},
		{
			args: "--offline=yes --profile=strict testfile.service",
			why:  "--profile is a profile of temper, --portable-profile one of portable services",
		},
	}},
	{"the rest", []invocation{
		{args: "--offline=yes -q testfile.service"},
		{args: "--offline=yes --quiet testfile.service"},
		{args: "--no-pager --offline=yes testfile.service"},
		{args: "--offline=yes --bogus testfile.service"},
		{args: "--offline=yes --table testfile.service"},
		{args: "--offline=yes --unit=x.service testfile.service"},
		{
			args: "--offline=yes --no-legend testfile.service", versions: []int{252, 257},
			why: "--no-legend is taken as 262 takes it: it changes nothing",
		},
		{args: "--offline=yes --instance=zz foo@.service", versions: []int{252}, why: "--instance came with 257"},
		{args: "--offline=yes --instance=zz testfile.service", versions: []int{252}, why: "--instance came with 257"},
		{args: "--offline=yes --man=no testfile.service", why: "options of other verbs are refused"},
		{args: "--offline=yes --order testfile.service", why: "options of other verbs are refused"},
	}},
}

// TestSystemdAnalyzeMatrix runs systemd-analyze security and temper analyze side by side: both end with zero or both do
// not, and print the same rows. Where temper does otherwise the matrix says why, and the test holds that it still does.
func TestSystemdAnalyzeMatrix(t *testing.T) {
	testroot.Need(t)
	files := matrixFiles(t)
	for name, version := range testroot.Versions {
		if version < 250 {
			continue // has no --offline
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := runMatrix(t, testroot.Path(t, name), files)
			for _, group := range matrix {
				for _, i := range group.list {
					theirs, ours := results[0], results[1]
					results = results[2:]
					deviates := i.why != "" && (i.versions == nil || slices.Contains(i.versions, version))
					diff := compareRuns(theirs, ours)
					switch {
					case diff != "" && !deviates:
						t.Errorf("%s: %s\n%s\nsystemd-analyze: %s\ntemper: %s", group.name, i.args, diff, theirs.stderr,
							ours.stderr)
					case diff == "" && deviates:
						t.Errorf("%s: %s: the two do the same, although %s", group.name, i.args, i.why)
					case ours.status != 0 && ours.stderr == "":
						t.Errorf("%s: %s: temper fails without a word", group.name, i.args)
					}
				}
			}
		})
	}
}

// result is what a command said.
type result struct {
	status         int
	stdout, stderr string
}

// compareRuns returns in what two runs differ: whether they succeed, and what they print.
func compareRuns(theirs, ours result) string {
	if (theirs.status == 0) != (ours.status == 0) {
		return fmt.Sprintf("systemd-analyze exits with %d, temper with %d", theirs.status, ours.status)
	}
	return cmp.Diff(printed(theirs.stdout), printed(ours.stdout))
}

// printed are the lines of an output, without how they are set: JSON to the byte, of a table the header, rows and sums.
func printed(out string) []string {
	if strings.HasPrefix(out, "[") {
		return strings.Split(out, "\n")
	}
	out = regexp.MustCompile(`(?ms)^What would gain most.*`).ReplaceAllString(out, "")
	var lines []string
	for line := range strings.Lines(out) {
		line = strings.Join(strings.Fields(line), " ")
		line = strings.TrimRight(line, " 😇😀🙂😐🙁😨🤢")
		if line != "" && !strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "over its threshold") {
			lines = append(lines, line)
		}
	}
	return lines
}

// matrixFiles returns a directory with what the invocations name, and temper.
func matrixFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	archive, err := txtar.ParseFile("testdata/analyze-matrix.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		file := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/null", filepath.Join(dir, "ut/masked.service")); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "usr/bin/temper"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir
}

// runMatrix runs all invocations in a tree, each by systemd-analyze and then by temper.
func runMatrix(t *testing.T, tree, files string) []result {
	t.Helper()
	out := t.TempDir()
	var script strings.Builder
	script.WriteString("cd /ut; mkdir -p /run/user/0; export HOME=/root XDG_RUNTIME_DIR=/run/user/0 LANG=C.UTF-8 " +
		"SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0\n")
	n := 0
	for _, group := range matrix {
		for _, i := range group.list {
			ours := i.args
			if i.ours != "" {
				ours = i.ours
			}
			for _, command := range []string{"systemd-analyze security " + i.args, "temper analyze " + ours} {
				fmt.Fprintf(&script, "%s </dev/null >/out/%d.out 2>/out/%d.err; echo $? >/out/%d.status\n", command,
					n, n, n)
				n++
			}
		}
	}
	if err := os.WriteFile(filepath.Join(out, "run"), []byte(script.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if text, err := testroot.Command(t, tree, files+":/ "+out+"=/out", "sh", "/out/run").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	results := make([]result, n)
	for i := range results {
		read := func(suffix string) string {
			data, err := os.ReadFile(fmt.Sprintf("%s/%d.%s", out, i, suffix))
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		if _, err := fmt.Sscan(read("status"), &results[i].status); err != nil {
			t.Fatal(err)
		}
		results[i].stdout, results[i].stderr = read("out"), read("err")
	}
	return results
}
