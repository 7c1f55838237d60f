//go:build packages

package packaging_test

import (
	"testing"

	"temper/internal/testroot"
)

// TestSystemdAutopkgtest runs temper's own autopkgtest by the autopkgtest program, on a machine that has never seen
// temper. The machine is thrown away: what the null server does not promise holds.
func TestSystemdAutopkgtest(t *testing.T) {
	m := &machine{t, testroot.Path(t, "bed")}
	debs, err := built()
	must(t, err)
	source, err := below("debian", "/srv/temper/debian")
	must(t, err)
	b := m.boot(append(under("/srv", debs), source...)...)
	b.run(": >/etc/apt/sources.list") // all is there that the tests depend on
	run := func(options string) (int, string) {
		return b.try("rm -rf /srv/out; autopkgtest " + options +
			" --ignore-restrictions=isolation-machine --output-dir /srv/out /srv/temper_*.deb " +
			"/srv/temper-profiles_*.deb /srv/temper/ -- null 2>&1")
	}
	if status, out := run(""); status != 0 {
		t.Fatalf("autopkgtest ends with %d, want 0\n%s", status, out)
	}
	b.run("grep -c PASS /srv/out/summary | grep -x 3")

	// It can fail: a temper whose generator does nothing.
	b.run("rm -rf /etc/temper/disabled /etc/temper/verdicts/* && dpkg-divert --rename --divert /srv/generator " +
		"/usr/lib/systemd/system-generators/temper-generator && ln -s /bin/true " +
		"/usr/lib/systemd/system-generators/temper-generator")
	if status, out := run("--test-name=proves"); status != 4 {
		t.Fatalf("autopkgtest ends with %d where nothing is applied, want 4\n%s", status, out)
	}
	b.run("grep '^proves *FAIL' /srv/out/summary")
}
