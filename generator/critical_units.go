package generator

import (
	"path"
	"slices"
)

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

// isCritical reports whether a unit is in the table above.
func isCritical(unit string) bool {
	return slices.ContainsFunc(critical, func(pattern string) bool {
		ok, _ := path.Match(pattern, unit)
		return ok
	})
}
