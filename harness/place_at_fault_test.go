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

// TestSystemdCheckSetAside: a check of what the place refuses every service is set aside and named, and the others
// decide. Without others, and where the place refused nothing, the failure counts.
func TestSystemdCheckSetAside(t *testing.T) {
	t.Parallel()
	const (
		kept   = "[[check]]\nname = \"keeps attributes\"\nretry = \"0s\"\nfile = { path = \"/run/kept\" }\n"
		absent = "[[check]]\nname = \"makes a file\"\nretry = \"0s\"\nfile = { path = \"/run/absent\" }\n"
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
	_, serves, _ := strings.Cut(quiet.profile, "[[check]]")
	serves = "[[check]]" + serves
	for name, tc := range map[string]struct {
		checks, want, said string
	}{
		"others decide":        {kept + serves, verdict.Proven, "setxattr("},
		"no other":             {kept, verdict.Inconclusive, "setxattr("},
		"fails for no refusal": {absent + serves, verdict.BrokenBaseline, "/run/absent"},
	} {
		t.Run(name, func(t *testing.T) {
			service := quiet
			service.profile = strings.Replace(quiet.profile, serves, tc.checks, 1)
			if tc.said != "/run/absent" {
				service.units = map[string]string{"/usr/lib/systemd/system/trap.service": "[Service]\nType=exec\n" +
					"ExecStartPre=-/usr/local/bin/attributes\nExecStart=/usr/local/bin/trap\n"}
			}
			v := service.prove(t, where, harness.Prove, harness.Options{Progress: func(s string) { t.Log(s) }})
			said := func(text string) bool { return strings.Contains(text, tc.said) }
			named := func(e verdict.Evidence) bool {
				return said(e.Text) && strings.Contains(e.Text, "keeps attributes")
			}
			if v.Result != tc.want || !said(v.Reason) && !slices.ContainsFunc(v.Advisories, named) {
				t.Errorf("%s: %s %v", v.Result, v.Reason, v.Advisories)
			}
		})
	}
}
