package harness

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/profiles"
)

// TestSilent: what a service is refused without a word comes with every directive that does so, and with whole lines of its
// profile: one that held the new name alone would replace the rest, and beside it would be a mistake.
func TestSilent(t *testing.T) {
	set := func(name string, values ...string) profiles.Setting {
		return profiles.Setting{Name: name, Values: values}
	}
	p := &profiles.Profile{Name: "web", Service: []profiles.Setting{
		set("ProtectSystem", "strict"), set("ReadOnlyPaths", "/opt"), set("ReadWritePaths", "/srv"), set("CapabilityBoundingSet", "CAP_KILL"),
		set("PrivateUsers", "yes"), set("ProtectClock", "yes"), set("InaccessiblePaths", "/etc/own"),
	}}
	own := []unit.Assignment{{Section: "Service", Name: "ReadWritePaths", Value: "/srv", Pos: unit.Position{Path: "/usr/lib/systemd/system/web.service"}}}
	in := generator.Input{
		Unit: &unit.Unit{Name: "web.service", ID: "web.service", Assignments: own}, Profile: p, Named: true, Version: 257,
		Secrets: []profiles.Secret{{Path: "/etc/other", Profile: "other"}},
	}
	ls := levers(in)
	for _, l := range ls {
		if l.directive.Name == "CapabilityBoundingSet" {
			l.allow([]string{"CAP_CHOWN"})
		}
	}
	files := view{root: host.Root(t.TempDir()), had: func(string) bool { return true }}
	refused := func(call, errno, path string) witness.Denial {
		return witness.Denial{Process: "web", Syscall: call, Errno: errno, Path: path}
	}
	record := witness.Record{Denials: []witness.Denial{
		refused("mkdir", "EROFS", "/opt/foo/x"), refused("settimeofday", "EPERM", ""), refused("chdir", "EACCES", "/etc/own"), refused("chdir", "EACCES", "/etc/other"),
	}}
	var got []string
	for _, e := range silent(record, ls, 257, files) {
		got = append(got, e.Text)
	}
	want := []string{
		`web: mkdir("/opt/foo/x", 0x0): EROFS; by ProtectSystem= and ReadOnlyPaths=; to allow it: ReadWritePaths = ["/srv", "/opt/foo"]`,
		`web: settimeofday(): EPERM; by ProtectClock= and PrivateUsers= and CapabilityBoundingSet=; to allow it: ` +
			`CapabilityBoundingSet = ["CAP_CHOWN CAP_KILL CAP_SYS_TIME"], and a weaker ProtectClock= and PrivateUsers=`,
		`web: chdir("/etc/own"): EACCES; by InaccessiblePaths=; to allow it: InaccessiblePaths = []`,
		`web: chdir("/etc/other"): EACCES; by InaccessiblePaths=`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
