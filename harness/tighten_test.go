package harness_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/harness"
	"temper/internal/verdict"
	"temper/profiles"
)

// loose is a service that needs a part of what its profile allows: a path without which it fails, a path without which
// it goes on and says nothing, a capability, a family, a device and a system call of a group that the list lacks. Its
// profile allows as many other names without need, and a capability that is wider than the need; and a demotion adds a
// name that no profile has.
const looseUnit = `[Service]
Type=exec
ExecStart=/usr/local/bin/trap write=/srv/trap hush:write=/opt/quiet chown=/srv/trap read=/srv/of-daemon socket=16 mlock open=/dev/trap wx
`

const looseProfile = `units   = ["loose.service"]
extends = ["base/network-daemon"]

[service]
ProtectSystem          = "strict"
MemoryDenyWriteExecute = true
ReadWritePaths         = ["-/opt/quiet", "/srv", "/mnt"]
CapabilityBoundingSet   = ["CAP_CHOWN CAP_DAC_OVERRIDE CAP_SYS_PTRACE"]
RestrictAddressFamilies = ["AF_INET AF_UNIX AF_NETLINK AF_PACKET"]
SystemCallFilter        = ["@system-service", "~@memlock @keyring", "@memlock @keyring"]
DeviceAllow             = ["/dev/trap rw", "/dev/kvm rw"]
PrivateDevices          = false
DevicePolicy            = "closed"

[prove]
settle = "100ms"
setup  = ["test -e /dev/trap || mknod -m 600 /dev/trap c 1 11", "install -m 600 -o daemon /dev/null /srv/of-daemon"]

[[check]]
tcp = { address = "127.0.0.1:7777", expect = "ok" }
`

// TestSystemdTighten: what a profile allows without need is reported with its line and a correct line. The corrected
// profile is proven, with nothing left to report. What a service misses without a word counts as needed.
func TestSystemdTighten(t *testing.T) {
	t.Parallel()
	where := bootAs(t, "trixie", true) // no other root may make the device
	dir := t.TempDir()
	prove := func(t *testing.T, toml string) (verdict.Verdict, *profiles.Profile) {
		file := filepath.Join(dir, "loose.toml")
		if err := os.WriteFile(file, []byte(toml), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := profiles.LoadFile(file, library(t))
		if err != nil {
			t.Fatal(err)
		}
		v, err := harness.Prove(t.Context(), harness.Options{
			Place: where, Profiles: library(t), Profile: p, Unit: "loose.service", Tighten: true,
			Progress: func(s string) { t.Log(s) },
		})
		if err != nil || !v.Works() || len(v.Demotions) != 1 {
			t.Fatalf("%s %s %v: %v", v.Result, v.Reason, v.Demotions, err)
		}
		left(t, where)
		return v, p
	}
	for _, name := range []string{"/opt/quiet/.keep", "/mnt/.keep"} {
		if err := where.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := where.WriteFile("/usr/lib/systemd/system/loose.service", []byte(looseUnit), 0o644); err != nil {
		t.Fatal(err)
	}
	v, p := prove(t, looseProfile)
	want := []verdict.Loose{
		{
			Directive: "SystemCallFilter", Names: []string{"@keyring"},
			Right: `SystemCallFilter = ["@system-service", "~@memlock @keyring", "@memlock"]`,
		},
		{
			Directive: "RestrictAddressFamilies", Names: []string{"AF_PACKET", "AF_UNIX"},
			Right: `RestrictAddressFamilies = ["AF_INET AF_NETLINK"]`,
		},
		{
			Directive: "CapabilityBoundingSet", Names: []string{"CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"},
			Right: `CapabilityBoundingSet = ["CAP_CHOWN CAP_DAC_READ_SEARCH"]`,
		},
		{Directive: "ReadWritePaths", Names: []string{"/mnt"}, Right: `ReadWritePaths = ["-/opt/quiet", "/srv"]`},
		{Directive: "DeviceAllow", Names: []string{"/dev/kvm rw"}, Right: `DeviceAllow = ["/dev/trap rw"]`},
	}
	tightened := looseProfile
	for i := range want {
		s, _ := p.Setting(want[i].Directive)
		want[i].Pos, want[i].Profile = s.Pos.String(), p.Name
		line := strings.SplitAfter(looseProfile, "\n")[s.Pos.Line-1]
		tightened = strings.Replace(tightened, line, want[i].Right+"\n", 1)
	}
	if diff := cmp.Diff(want, v.Loose); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if v.Trials > 15 {
		t.Errorf("%d launches, want at most 15", v.Trials)
	}
	if again, _ := prove(t, tightened); len(again.Loose) > 0 {
		t.Errorf("of the right lines are left: %v", again.Loose)
	}
}
