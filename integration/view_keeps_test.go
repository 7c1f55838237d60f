package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"temper/generator"
	"temper/harness/place"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/profiles"
)

// reaching writes down which of the files of others it can read, by either name of a directory.
const reaching = `[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/bin/find /run/secret /run/shop /var/run/secret /var/run/shop /srv/cache /lib/modules /usr/lib/modules -type f -size +0 -readable
StandardOutput=truncate:/var/log/reaching
StandardError=null
SuccessExitStatus=1
`

// TestSystemdViewKeeps starts services that name paths through links, or below what a profile hides. What they closed
// is closed when they see only what they need, and they find what they named.
func TestSystemdViewKeeps(t *testing.T) {
	t.Parallel()
	view := func(text string) *profiles.Profile {
		profile, err := profiles.ParseText("reaching", "units = [\"reaching.service\"]\n[service]\n"+text, nil)
		if err != nil {
			t.Fatal(err)
		}
		return profile
	}
	covers := view("TemporaryFileSystem = [\"/var:ro /srv:ro\"]\nBindPaths = [\"-/var/run/shop\"]")
	whole := view("TemporaryFileSystem = [\"/:ro\"]\nBindReadOnlyPaths = [\"/usr /lib /lib64 /run\"]")
	cases := []struct {
		name, unit string
		profile    *profiles.Profile
		never      string // a file that the service closes
		found      string // one that it needs, where there is one
	}{
		{"a link below a cover", "InaccessiblePaths=-/var/run/secret", covers, "secret/key", "/run/shop/page"},
		{"a cover through a link", "TemporaryFileSystem=/var/run/secret", covers, "secret/key", "/run/shop/page"},
		{"below a bind at another name", "InaccessiblePaths=/run/shop/key", covers, "shop/key", "/run/shop/page"},
		{"modules by another name", "ProtectKernelModules=yes", whole, "modules/m", "/run/shop/page"},
		{"a list that must be found", "ReadWritePaths=/srv/cache", covers, "", "/srv/cache/page"},
	}
	for _, tree := range []string{"bookworm", "trixie", "sid"} {
		t.Run(tree, func(t *testing.T) {
			t.Parallel()
			file := place.File{Name: units + "/reaching.service", Data: []byte(reaching)}
			p := boot(t, testroot.Path(t, tree), []place.File{file})
			command(t, p, "for d in /run/secret /run/shop /srv/cache /usr/lib/modules; do mkdir -p $d; "+
				"echo x >$d/key; echo x >$d/page; echo x >$d/m; done")
			for _, tc := range cases {
				const override = "/etc/systemd/system/reaching.service.d"
				command(t, p, fmt.Sprintf("mkdir -p %[1]s; printf '[Service]\\n%[2]s\\n' >%[1]s/override.conf",
					override, tc.unit))
				u, err := (&unit.Loader{Root: p.Root(), Version: testroot.Versions[tree]}).Load("reaching.service")
				if err != nil {
					t.Fatal(err)
				}
				plan := generator.NewPlan(generator.Input{
					Unit: u, Profile: tc.profile, Named: true, Version: testroot.Versions[tree],
				})
				before, after := reached(t, p, ""), reached(t, p, plan.Text())
				for _, file := range after {
					if tc.never != "" && strings.HasSuffix(file, tc.never) {
						t.Errorf("%s: it can read %s with\n%s", tc.name, file, plan.Text())
					}
					if !slices.Contains(before, file) {
						t.Errorf("%s: it can read %s, and could not before, with\n%s", tc.name, file, plan.Text())
					}
				}
				if !slices.Contains(before, tc.found) || !slices.Contains(after, tc.found) {
					t.Errorf("%s: does not find %s: %q before, %q with\n%s", tc.name, tc.found, before, after,
						plan.Text())
				}
			}
		})
	}
}

// reached starts the service under a drop-in and returns the files that it can read; none if it does not start.
func reached(t *testing.T, p *place.Place, dropin string) []string {
	t.Helper()
	const dir = "/usr/local/lib/systemd/system/reaching.service.d"
	return strings.Fields(command(t, p, fmt.Sprintf("mkdir -p %s; cat >%s/%s <<'END'\n%sEND\n"+
		"systemctl daemon-reload; systemctl stop reaching.service; rm -f /var/log/reaching; "+
		"systemctl start reaching.service 2>/dev/null; cat /var/log/reaching 2>/dev/null; true", dir, dir,
		generator.Dropin, dropin)))
}
