package harness_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"temper/harness"
	"temper/internal/verdict"
)

// TestSystemdCheckSetAside: a check that fails without hardening too is set aside and named, and the others decide.
// With no other, the service is started at most, or inconclusive where the place refused it something. A check that
// lacks what it needs does not run, and one that runs without hardening has to run with it.
func TestSystemdCheckSetAside(t *testing.T) {
	t.Parallel()
	const (
		kept   = "[[check]]\nname = \"keeps attributes\"\nretry = \"0s\"\nfile = { path = \"/run/kept\" }\n"
		absent = "[[check]]\nname = \"makes a file\"\nretry = \"0s\"\nfile = { path = \"/run/absent\" }\n"
		needs  = "[[check]]\nname = \"needs\"\nrequires = [\"temper-none\"]\nexec = [\"sleep\", \"60\"]\n"
		skips  = "[[check]]\nname = \"skips\"\nexec = [\"sh\", \"-c\", \"exit 77\"]\n"
		wavers = "[[check]]\nname = \"wavers\"\nretry = \"0s\"\n" +
			"exec = [\"sh\", \"-c\", \"test -e /run/wavered || { touch /run/wavered; exit 1; }\"]\n"
		// The service cannot make the file under ReadOnlyPaths=, and the check asks for nothing without it.
		hidden = "[[check]]\nname = \"looks away\"\nrequires = [\"/srv/made\"]\nexec = [\"rm\", \"/srv/made\"]\n"
	)
	setxattr, known := map[string]int{"amd64": 188, "arm64": 5}[runtime.GOARCH]
	if !known {
		t.Skipf("wanted the number of setxattr(2), not known of %s", runtime.GOARCH)
	}
	attributes := "#!/usr/bin/perl\nopen(F, '>/run/x');\n" +
		fmt.Sprintf("exit 1 if syscall(%d, my $f = '/run/x', my $n = 'security.NTACL', my $v = 'x', 1, 0) != 0;\n",
			setxattr) + "open(F, '>/run/kept');\n"
	where := boot(t, "trixie")
	if err := where.WriteFile("/usr/local/bin/attributes", []byte(attributes), 0o755); err != nil {
		t.Fatal(err)
	}
	_, greets, _ := strings.Cut(quiet.profile, "[[check]]")
	greets = "[[check]]" + greets
	serves := strings.Replace(greets, "expect", `send = "?", expect`, 1)
	const attributesUnit = "[Service]\nType=exec\nExecStartPre=-/usr/local/bin/attributes\n" +
		"ExecStart=/usr/local/bin/trap\n"
	for name, tc := range map[string]struct {
		unit, checks, want string
		unchecked          string // the names of the checks that did not count
		said               string // the reason of the last of them, or of the verdict
	}{
		"others decide":      {attributesUnit, kept + serves, verdict.Proven, "keeps attributes", "setxattr("},
		"no other":           {attributesUnit, kept, verdict.Inconclusive, "", "setxattr("},
		"fails anyway":       {"", absent + serves, verdict.Proven, "makes a file", "/run/absent"},
		"fails anyway alone": {"", absent, verdict.Started, "makes a file", "/run/absent"},
		"a greeting":         {"", greets, verdict.Started, "", "nobody used it"},
		"lacks a program":    {"", needs + serves, verdict.Proven, "needs", "needs temper-none"},
		"skips itself":       {"", skips + serves, verdict.Proven, "skips", "exit status 77"},
		"no such user": {
			"[Service]\nUser=temper-none\nExecStart=/bin/true\n", serves, verdict.BrokenBaseline, "", "217",
		},
		"wavers": {"", wavers + serves, verdict.Flaky, "", "wavers"},
		"runs without": {
			"[Service]\nType=exec\nExecStartPre=-/bin/touch /srv/made\nExecStart=/usr/local/bin/trap\n",
			hidden + serves, verdict.Proven, "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			service := quiet
			service.profile = strings.Replace(quiet.profile, greets, tc.checks, 1)
			service.profile = strings.Replace(
				service.profile, "LockPersonality = true", "ProtectSystem = \"strict\"", 1)
			if tc.unit != "" {
				service.units = map[string]string{"/usr/lib/systemd/system/trap.service": tc.unit}
			}
			v := service.prove(t, where, harness.Prove, harness.Options{Progress: func(s string) { t.Log(s) }})
			var unchecked []string
			said := v.Reason
			for _, c := range v.Unchecked() {
				unchecked = append(unchecked, c.Name)
				said = c.Reason
			}
			if v.Result != tc.want || strings.Join(unchecked, " ") != tc.unchecked || !strings.Contains(said, tc.said) {
				t.Errorf("%s, %q, %s, %v", v.Summary(), unchecked, said, v.Demotions)
			}
			owed := len(v.Demotions) == 1 && slices.Contains(v.Demotions[0].Checks, "looks away")
			if name == "runs without" && !owed {
				t.Errorf("the check did not run hardened, and nothing was demoted for it: %v", v.Demotions)
			}
			if most := 3 + 2*len(v.Demotions); name != "wavers" && name != "runs without" && v.Trials > most {
				t.Errorf("%d launches, want at most %d, demoted %v", v.Trials, most, v.Demotions)
			}
		})
	}
}
