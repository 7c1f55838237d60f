package generator

import (
	"path"
	"slices"
	"strings"

	"temper/internal/unit"
)

// leavesAlone returns the rule by which a unit gets no drop-in whatever its verdict, and why; "" if there is none.
func (g *Generator) leavesAlone(u *unit.Unit, d Decision) (by Rule, why string) {
	switch {
	case d.Profile == nil && d.Verdict == nil:
		return ByNoProfile, "no profile matches"
	case u.Masked:
		return ByNoProfile, "masked"
	case foreignDropin(u) != "":
		return ByDropin, foreignDropin(u) + " stands in the place of temper's drop-in"
	case g.Settings.excludes(u.ID):
		return ByExclude, "excluded in " + SettingsFile
	case g.Switches.Off != "":
		return ByOffSwitch, g.Switches.Off
	case g.Switches.skips(u.ID):
		return ByOffSwitch, "temper.skip= on the kernel command line"
	case IsCritical(u.ID) && !d.Named && d.Profile != nil && !d.Profile.Draft: // a draft never applies
		return ByBoot, "critical for the boot: only a profile that names it applies"
	}
	return "", ""
}

// foreignDropin returns a drop-in that has the name of temper's drop-in but was not written by temper; "" if there is
// none. One of the administrator hides what the generator writes, and one of the vendor must not be hidden.
func foreignDropin(u *unit.Unit) string {
	for _, file := range u.Dropins {
		if path.Base(file) == Dropin && !strings.HasPrefix(file, "/run/systemd/generator/") {
			return file
		}
	}
	return ""
}

// critical are the units without which a machine does not boot or cannot be rescued. Such a unit gets a drop-in only
// from a profile that names it.
var critical = []string{
	"systemd-*", "dbus*.service", "*getty*.service", "emergency.service", "rescue.service", "user@*.service",
	"user-runtime-dir@*.service", "initrd-*", "dracut-*", "plymouth*", "modprobe@*.service", "kmod*.service", "lvm2-*",
	"dm-event.service",
	"multipathd.service", "mdmonitor.service", "mdadm*", "cryptsetup*", "ifup@*.service", "networking.service",
	"NetworkManager*.service", "wpa_supplicant*.service", "polkit.service", "display-manager.service", "temper-*",
	"debug-shell.service",
	"quotacheck*.service", "fsck*", "kdump*", "auditd.service", "apparmor.service", "selinux-*",
}

// IsCritical reports whether a unit is in the table above.
func IsCritical(unit string) bool {
	return slices.ContainsFunc(critical, func(pattern string) bool {
		ok, _ := path.Match(pattern, unit)
		return ok
	})
}
