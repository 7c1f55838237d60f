package syscalls_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/internal/syscalls"
	"temper/internal/values"
)

func TestParseSystemCallFilter(t *testing.T) {
	permits := func(yes string, no string) func(syscalls.Filter) error {
		return func(f syscalls.Filter) error {
			for call := range strings.FieldsSeq(yes) {
				if !f.Permits(call) {
					return fmt.Errorf("%s is refused", call)
				}
			}
			for call := range strings.FieldsSeq(no) {
				if f.Permits(call) {
					return fmt.Errorf("%s is let through", call)
				}
			}
			return nil
		}
	}
	tests := []struct {
		name       string
		values     []string
		version    int
		set, allow bool
		check      func(syscalls.Filter) error
	}{
		{"unset", nil, 252, false, false, permits("mount read", "")},
		{"allow-list with @default", []string{"mount"}, 252, true, true, permits("mount exit_group", "read")},
		{"deny-list", []string{"~mount"}, 252, true, false, permits("read", "mount")},
		{"group within a group", []string{"@system-service"}, 252, true, true, permits("read io_submit", "mount")},
		{"taken off an allow-list", []string{"@mount", "~umount2"}, 252, true, true, permits("mount", "umount2")},
		{"taken off a deny-list", []string{"~@mount", "umount2"}, 252, true, false, permits("umount2", "mount")},
		{"reset", []string{"read", "", "~mount"}, 252, true, false, permits("read", "mount")},
		{"a bare tilde filters nothing", []string{"~"}, 252, false, false, permits("mount", "")},
		{"but it decides the kind of list", []string{"~", "mount"}, 252, false, false, permits("mount read", "")},
		{"unknown names", []string{"frobnicate @frobnicate"}, 252, true, true, permits("exit", "frobnicate read")},
		{"error on a deny-list", []string{"~mount:EPERM"}, 252, true, false, permits("read", "mount")},
		{
			"error takes a call off an allow-list",
			[]string{"mount", "~mount:EPERM"},
			252, true, true,
			permits("", "mount"),
		},
		{"bad error", []string{"~mount:EBOGUS umount2"}, 252, true, false, permits("mount", "umount2")},
		{
			"error on an allow-list is refused",
			[]string{"mount:EPERM umount2"},
			252, true, true,
			permits("umount2", "mount"),
		},
		{
			"error on an allow-list was taken",
			[]string{"mount:EPERM umount2"},
			247, true, true,
			permits("mount umount2", ""),
		},
		{"commas", []string{"mount,umount2"}, 252, true, true, permits("exit", "mount umount2")},
		{"quotes belong to the name", []string{`"mount"`}, 252, true, true, permits("exit", "mount")},
		{"a call that came later is unknown", []string{"~mseal"}, 252, false, false, permits("mseal", "")},
		{"a call that came later", []string{"~mseal"}, 257, true, false, permits("read", "mseal")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := syscalls.ParseFilter(tt.values, tt.version)
			if f.Set != tt.set || f.Allow != tt.allow {
				t.Errorf("got set %v, allow %v, want %v and %v", f.Set, f.Allow, tt.set, tt.allow)
			}
			if err := tt.check(f); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSystemCallFilterErrors(t *testing.T) {
	f := syscalls.ParseFilter([]string{"~mount:EPERM umount2:kill chroot:42 swapon"}, 252)
	want := map[string]int{"mount": 1, "umount2": values.ErrnoKill, "chroot": 42, "swapon": -1}
	if diff := cmp.Diff(want, f.Calls); diff != "" {
		t.Error(diff)
	}
	f = syscalls.ParseFilter([]string{"mount", "~mount:EACCES ~read"}, 252)
	if f.Calls["mount"] != 13 {
		t.Errorf("mount on the allow-list has error %d, want 13", f.Calls["mount"])
	}
}

func TestSyscallGroups(t *testing.T) {
	if _, ok := syscalls.Group("@sandbox", 252); ok {
		t.Error("252 has @sandbox, which came later")
	}
	for version, want := range map[int]bool{240: false, 247: false, 256: false, 257: true, 300: true} {
		if got := slices.Contains(syscalls.Groups(version), "@sandbox"); got != want {
			t.Errorf("%d has @sandbox: %v, want %v", version, got, want)
		}
	}
	clock, ok := syscalls.Group("@clock", 252)
	want := []string{"adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64", "settimeofday"}
	if diff := cmp.Diff(want, clock); diff != "" || !ok {
		t.Error(diff)
	}
	privileged, _ := syscalls.Group("@privileged", 262)
	if !slices.Contains(privileged, "chown") || !slices.IsSorted(privileged) {
		t.Errorf("@privileged is %v, want it sorted and with the calls of @chown", privileged)
	}
	if len(syscalls.All()) < 500 || !slices.IsSorted(syscalls.All()) {
		t.Error("the calls are not all there, or not sorted")
	}
}

func TestSyscallsOn(t *testing.T) {
	arm, ok := syscalls.Of(257).On("arm64")
	if !ok || arm.Native("iopl") || !arm.Native("mount") || !arm.Known("iopl") {
		t.Error("arm64 has mount and not iopl, and knows both names")
	}
	if _, ok := syscalls.Of(257).On("vax"); ok {
		t.Error("vax is no architecture that systemd runs on")
	}
	if got := syscalls.Of(257).With("2.5.5"); got.Known("mseal") || !got.Known("mount") {
		t.Error("libseccomp 2.5.5 does not know mseal")
	}
}
