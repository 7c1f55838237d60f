package offline_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"temper/analyzer/exposure"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/unit"
)

// restrictions are assignments that take something from a service.
var restrictions = []string{
	"PrivateTmp=yes", "PrivateDevices=yes", "PrivateNetwork=yes", "PrivateUsers=yes", "PrivateMounts=yes",
	"ProtectSystem=strict",
	"ProtectHome=yes", "ProtectClock=yes", "ProtectHostname=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes",
	"ProtectKernelTunables=yes", "ProtectControlGroups=yes", "ProtectProc=invisible", "ProcSubset=pid",
	"NoNewPrivileges=yes",
	"CapabilityBoundingSet=~CAP_SYS_ADMIN CAP_NET_ADMIN", "CapabilityBoundingSet=~CAP_KILL",
	"RestrictNamespaces=~user pid",
	"RestrictRealtime=yes", "RestrictSUIDSGID=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes", "UMask=0077",
	"SystemCallArchitectures=native", "SystemCallFilter=~@mount @swap", "SystemCallFilter=~@privileged",
	"RestrictAddressFamilies=~AF_PACKET", "DevicePolicy=closed", "IPAddressDeny=any", "DynamicUser=yes",
}

// testUnit is a unit with these lines in its [Service].
func testUnit(t interface{ Fatal(...any) }, lines ...string) *unit.Unit {
	text := "[Service]\nExecStart=/bin/true\n" + strings.Join(lines, "\n") + "\n"
	assignments, problems, err := unit.Parse("/x.service", strings.NewReader(text))
	if err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	return &unit.Unit{Name: "x.service", ID: "x.service", Fragment: "/x.service", Assignments: assignments}
}

// TestRestrictionsNeverExpose adds restrictions to a service: no row gets worse, but for the devices that a directive
// allows beside those it denies, and for rows that apply only to services that are not root.
func TestRestrictionsNeverExpose(t *testing.T) {
	excepted := []string{"DeviceAllow", "RemoveIPC", "SupplementaryGroups"}
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfNDistinct(rapid.SampledFrom(restrictions), 0, 8, rapid.ID[string]).Draw(t, "lines")
		more := rapid.SampledFrom(restrictions).Draw(t, "more")
		o := exposure.Options{Version: rapid.IntRange(247, 262).Draw(t, "version"), Arch: "x86_64"}
		before, err := offline.Score(testUnit(t, lines...), o)
		if err != nil {
			t.Fatal(err)
		}
		after, err := offline.Score(testUnit(t, append(slices.Clone(lines), more)...), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range exposure.Compare(before, after) {
			if d.After.Exposure > d.Before.Exposure && d.Before.Set != nil &&
				!slices.Contains(excepted, d.After.JSONField) {
				t.Errorf(
					"%v, then %s: %s goes from %q to %q",
					lines,
					more,
					d.After.Name,
					d.Before.Exposure,
					d.After.Exposure,
				)
			}
		}
	})
}

// TestSumIsScore compares the two for the golden units.
func TestSumIsScore(t *testing.T) {
	root := extract(t, "testdata/golden.txtar")
	for _, version := range []int{247, 252, 257, 262} {
		o := exposure.Options{Version: version, Arch: "aarch64"}
		for u, err := range (offline.Source{Root: host.At(root), Path: []string{"/ut"}, Version: version}).All() {
			if err != nil {
				continue // refused before it is scored
			}
			full, err := offline.Score(u, o)
			sum, serr := offline.Sum(u, o)
			if (err == nil) != (serr == nil) || full.Exposure != sum.Exposure || full.Level != sum.Level ||
				full.Unrounded() != sum.Unrounded() {
				t.Errorf("%s on %d: sum %d %v, score %d %v", u.Name, version, sum.Exposure, serr, full.Exposure, err)
			}
		}
	}
}

// TestAdvice follows each piece of advice: the score falls by what it says.
func TestAdvice(t *testing.T) {
	u := testUnit(t, "User=web", "SystemCallFilter=@system-service", "RestrictAddressFamilies=~AF_PACKET")
	o := exposure.Options{Version: 257, Arch: "x86_64"}
	list, err := offline.Advise(u, o)
	if err != nil {
		t.Fatal(err)
	}
	before, err := offline.Score(u, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range list {
		with, err := u.With("z.conf", "[Service]\n"+a.Assignment()+"\n")
		if err != nil {
			t.Fatal(err)
		}
		after, err := offline.Score(with, o)
		if err != nil {
			t.Fatal(err)
		}
		if saved := before.Unrounded() - after.Unrounded(); math.Abs(saved-a.Saves) > 0.0051 {
			t.Errorf("%s saves %.3f, not %.2f", a.Assignment(), saved, a.Saves)
		}
		if len(a.Rows) == 0 || a.Then == "" {
			t.Errorf("%s improves no row", a.Assignment())
		}
		if i > 0 && a.Saves > list[i-1].Saves {
			t.Errorf("%s stands behind %s, which saves less", a.Assignment(), list[i-1].Assignment())
		}
	}
	first := fmt.Sprint(list[0].Assignment(), " ", list[1].Assignment(), " ", list[2].Assignment())
	if want := "PrivateDevices=yes PrivateNetwork=yes ProtectClock=yes"; first != want {
		t.Errorf("the first three are %s, want %s", first, want)
	}
	for _, a := range list { // a list without "~" would take families off the deny-list
		if strings.HasPrefix(a.Assignment(), "RestrictAddressFamilies=AF_") {
			t.Errorf("%s opens AF_PACKET", a.Assignment())
		}
	}
}

func TestErrors(t *testing.T) {
	o := exposure.Options{Version: 257}
	masked := testUnit(t)
	masked.Masked = true
	target := testUnit(t)
	target.ID = "x.target"
	tests := []struct {
		unit *unit.Unit
		o    exposure.Options
		want error
		text string
	}{
		{masked, o, exposure.ErrMasked, "x.service: the unit is masked"},
		{target, o, exposure.ErrNotService, "x.service: only services are scored"},
		{
			testUnit(t, "User=a:b"),
			o,
			exposure.ErrRefused,
			"/x.service:3: User=a:b is no valid name or number: systemd refuses the unit",
		},
		{testUnit(t), exposure.Options{Version: 246}, nil, "systemd 246 cannot be scored, want 247 or newer"},
		{
			testUnit(t),
			exposure.Options{Arch: "vax"},
			nil,
			`architecture "vax" is not known, want one such as x86_64 or aarch64`,
		},
	}
	for _, tt := range tests {
		_, err := offline.Score(tt.unit, tt.o)
		if err == nil || err.Error() != tt.text || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("got %v, want %s", err, tt.text)
		}
	}
}

// TestArchitectures scores a filter on machines that have other system calls.
func TestArchitectures(t *testing.T) {
	u := testUnit(t, "SystemCallFilter=~@mount")
	for arch, want := range map[string]string{
		"x86_64": "System call deny list defined for service, and @cpu-emulation is not included (e.g. modify_ldt " +
			"is allowed)",
		"aarch64": "System call deny list defined for service, and @cpu-emulation is included",
		"i686": "System call deny list defined for service, and @cpu-emulation is not included (e.g. modify_ldt " +
			"is allowed)",
		"ppc64le": "System call deny list defined for service, and @cpu-emulation is not included (e.g. modify_ldt " +
			"is allowed)",
	} {
		r, err := offline.Score(u, exposure.Options{Version: 257, Arch: arch})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range r.Rows {
			if row.JSONField == "SystemCallFilter_cpu_emulation" && row.Description != want {
				t.Errorf("%s: got %q, want %q", arch, row.Description, want)
			}
		}
	}
}

// FuzzScore scores any text: it must neither panic nor give a score that does not exist.
func FuzzScore(f *testing.F) {
	for _, line := range append(restrictions, `ExecStart=-@/bin/x "a b" \x41 ; +/bin/y`, "DeviceAllow=/dev/x rw",
		"IPAddressAllow=::1/64", "User=%i") {
		f.Add(line, 257)
	}
	f.Fuzz(func(t *testing.T, text string, version int) {
		assignments, _, err := unit.Parse("/x.service", strings.NewReader("[Service]\nExecStart=/bin/true\n"+text))
		if err != nil {
			return
		}
		u := &unit.Unit{Name: "x.service", ID: "x.service", Fragment: "/x.service", Assignments: assignments}
		r, err := offline.Score(u, exposure.Options{Version: 247 + version&15, Arch: "x86_64"})
		if err == nil && (r.Exposure < 0 || r.Exposure > 100 || r.Level == "" || len(r.Rows) < 80) {
			t.Errorf("%q scores %d %s with %d rows", text, r.Exposure, r.Level, len(r.Rows))
		}
	})
}
