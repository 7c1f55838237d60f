package generator

import (
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/ready"
)

// Switches are the ways to turn the generator off without changing its settings.
type Switches struct {
	Off  string   // why nothing at all is written; "" if something is
	Skip []string // units to leave alone, names or globs
}

// ReadSwitches reads the off switches: temper=0 and temper.skip=UNIT on the kernel command line, and [ready.DisabledFile].
func ReadSwitches(root host.Root, cmdline string) Switches {
	var s Switches
	for _, word := range strings.Fields(cmdline) {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "temper":
			if slices.Contains([]string{"0", "no", "off", "false"}, value) {
				s.Off = word + " on the kernel command line"
			}
		case "temper.skip":
			s.Skip = append(s.Skip, strings.Split(value, ",")...)
		}
	}
	if ready.Disabled(string(root)) {
		s.Off = ready.DisabledFile + " exists"
	}
	return s
}

// skips reports whether a unit is to be left alone.
func (s Switches) skips(unit string) bool {
	return slices.ContainsFunc(s.Skip, func(pattern string) bool {
		ok, _ := path.Match(pattern, unit)
		return ok || pattern+".service" == unit
	})
}

// critical are the units without which a machine does not boot or cannot be rescued. Only a profile that names one of them
// touches it.
var critical = []string{
	"systemd-*", "dbus*.service", "*getty*.service", "emergency.service", "rescue.service", "user@*.service",
	"user-runtime-dir@*.service", "initrd-*", "dracut-*", "plymouth*", "modprobe@*.service", "kmod*.service", "lvm2-*", "dm-event.service",
	"multipathd.service", "mdmonitor.service", "mdadm*", "cryptsetup*", "ifup@*.service", "networking.service",
	"NetworkManager*.service", "wpa_supplicant*.service", "polkit.service", "display-manager.service", "temper-*", "debug-shell.service",
	"quotacheck*.service", "fsck*", "kdump*", "auditd.service", "apparmor.service", "selinux-*",
}

// isCritical reports whether a unit is in the table above.
func isCritical(unit string) bool {
	return slices.ContainsFunc(critical, func(pattern string) bool {
		ok, _ := path.Match(pattern, unit)
		return ok
	})
}
