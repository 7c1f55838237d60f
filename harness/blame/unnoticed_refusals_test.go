package blame_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/witness"
	"temper/internal/unit"
	"temper/internal/values"
	"temper/internal/verdict"
	"temper/profiles"
)

// TestUnnoticed: a refusal that no check noticed is reported with every directive that causes it, and with complete
// lines for the profile: a line with only the new name would replace the other names, and a second line would be an
// error.
func TestUnnoticed(t *testing.T) {
	p := &profiles.Profile{Name: "web", Service: []profiles.Setting{
		set("ProtectSystem", "strict"), set("ReadOnlyPaths", "/opt"), set("ReadWritePaths", "/srv"),
		set("CapabilityBoundingSet", "CAP_KILL"),
		set("PrivateUsers", "yes"), set("ProtectClock", "yes"), set("InaccessiblePaths", "/etc/own"),
	}}
	own := []unit.Assignment{{
		Section: "Service", Name: "ReadWritePaths", Value: "/srv",
		Pos: unit.Position{Path: "/usr/lib/systemd/system/web.service"},
	}}
	in := generator.Input{
		Unit: &unit.Unit{Name: "web.service", ID: "web.service", Assignments: own}, Profile: p, Named: true,
		Version: 257,
		Secrets: []profiles.Secret{{Path: "/etc/other", Profile: "other"}},
	}
	plan := applied(in)
	for i, a := range plan {
		if a.Directive.Name == "CapabilityBoundingSet" {
			plan[i].Allowed = []string{"CAP_CHOWN"}
			plan[i].Lines = a.Directive.Allow(a.Want, plan[i].Allowed, in.Version)
		}
	}
	record := witness.Record{Denials: []witness.Denial{
		denial("mkdir", "EROFS", "/opt/foo/x"), denial("settimeofday", "EPERM", ""),
		denial("chdir", "EACCES", "/etc/own"),
		denial("chdir", "EACCES", "/etc/other"), denial("read", "EIO", "/dev/sda"),
	}}
	var got []string
	for _, e := range blame.NewService(in, files{root: t.TempDir(), all: true}).Unnoticed(record, plan) {
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

// TestUnnoticedByTwo: where a filter refuses a call before the kernel asks for the capability that the plan takes too,
// the advice has both. Without hardening the service was granted the capability.
func TestUnnoticedByTwo(t *testing.T) {
	in := input(set("RestrictRealtime", "yes"), set("CapabilityBoundingSet", "CAP_KILL"))
	filtered := denial("sched_setscheduler", "EPERM", "")
	filtered.Filtered, filtered.LackedKnown, filtered.Args[1] = true, true, 1 // SCHED_FIFO
	for used, want := range map[string]string{
		"CAP_SYS_NICE": "; by RestrictRealtime= and CapabilityBoundingSet=; to allow it: " +
			`CapabilityBoundingSet = ["CAP_KILL CAP_SYS_NICE"], and a weaker RestrictRealtime=`,
		"CAP_KILL": "; by RestrictRealtime=",
	} {
		baseline := witness.Record{Granted: values.CapabilitySet(used), GrantedKnown: true}
		service := blame.NewService(in, files{root: t.TempDir()})
		record := service.NewRefusals(witness.Record{Denials: []witness.Denial{filtered}}, baseline)
		got := service.Unnoticed(record, applied(in))
		if len(got) != 1 || got[0].Text != filtered.String()+want {
			t.Errorf("%s: got %v, want %s", used, got, want)
		}
	}
}

// TestUnnoticedTogether: the advice has every capability that a call wants at once.
func TestUnnoticedTogether(t *testing.T) {
	in := input(set("CapabilityBoundingSet", "CAP_CHOWN"))
	d := wanting("CAP_KILL", "CAP_SYS_TIME", "CAP_CHOWN")
	record := witness.Record{Denials: []witness.Denial{d}}
	got := blame.NewService(in, files{root: t.TempDir()}).Unnoticed(record, applied(in))
	want := "web: capset(CAP_CHOWN, CAP_KILL, CAP_SYS_TIME): EPERM; by CapabilityBoundingSet=; " +
		`to allow it: CapabilityBoundingSet = ["CAP_CHOWN CAP_KILL CAP_SYS_TIME"]`
	if len(got) != 1 || got[0].Text != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

// TestNotGranted: what a container grants no service is reported if a directive of the plan may refuse it on the
// machine.
func TestNotGranted(t *testing.T) {
	in := input(set("PrivateDevices", "yes"), set("ProtectClock", "yes"), set("CapabilityBoundingSet", "CAP_KILL"))
	filtered := denial("clock_settime", "EPERM", "") // by a filter of the container: the kernel asked for no capability
	filtered.LackedKnown = true
	record := witness.Record{Denials: []witness.Denial{
		denial("openat", "ENOENT", "/dev/kvm"), denial("openat", "ENOENT", "/dev/none"),
		denial("settimeofday", "EPERM", ""),
		denial("chown", "EPERM", "/x"), // the container grants its capability
		filtered,
	}}
	container := blame.Container{
		Capabilities: values.CapabilitySet("CAP_CHOWN"),
		Lacks:        func(device string) bool { return device == "/dev/kvm" },
	}
	service := blame.NewService(in, files{root: t.TempDir()})
	got := service.NotGranted(container, []witness.Record{record, record}, applied(in))
	const unseen = " without hardening too, as in every container; what comes of "
	want := []verdict.Evidence{
		{Kind: "unseen", Text: `web: openat("/dev/kvm", 0x0, 0x0): ENOENT` + unseen +
			"PrivateDevices= and ProtectClock= where it is granted was not seen"},
		{Kind: "unseen", Text: `web: settimeofday(): EPERM` + unseen +
			"CapabilityBoundingSet= and ProtectClock= where it is granted was not seen"},
		{Kind: "unseen", Text: `web: clock_settime(0x0): EPERM` + unseen +
			"CapabilityBoundingSet= and ProtectClock= where it is granted was not seen"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
