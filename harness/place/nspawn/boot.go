package nspawn

import "slices"

// DefaultUnit is the unit that a container boots when none is asked for.
const DefaultUnit = "temper-place.target"

// defaultUnitText starts what every service may take for granted, and D-Bus, but none of the sockets, timers and
// services that the machine has enabled. dbus.service is an alias where the bus is dbus-broker.
const defaultUnitText = `[Unit]
Description=Place for trials
Requires=sysinit.target dbus.socket
Wants=dbus.service
After=sysinit.target dbus.socket dbus.service
`

// bootWords go on the container's kernel command line (kernel-command-line(7)), which systemd reads in a container from
// the arguments of PID 1. Each leaves out a part of the boot that waits for devices or for somebody at the console.
var bootWords = []string{
	"fstab=no",            // its file systems are part of the copy already; the devices are not there
	"luks=no",             // crypttab(5): the same
	"systemd.gpt_auto=no", // systemd-gpt-auto-generator(8): the same
	"systemd.swap=no",
	"systemd.firstboot=no", // systemd-firstboot(1) asks questions
	"plymouth.enable=0",
}

// quietWords are added when only [DefaultUnit] is booted.
var quietWords = []string{"temper=0"}

// masked are units that wait for a network which a container does not have or for somebody at its console, or that
// take time and that no service needs. They are masked by systemd.mask= of systemd-debug-generator(8), so that /etc
// stays as it is.
var masked = []string{
	"NetworkManager-wait-online.service",
	"connman-wait-online.service",
	"emergency.service",
	"ifupdown-wait-online.service",
	"ldconfig.service",
	"networking.service",
	"rescue.service",
	"systemd-hwdb-update.service",
	"systemd-journal-catalog-update.service",
	"systemd-networkd-wait-online.service",
	"systemd-time-wait-sync.service",
}

// ownFiles are files of every container. Its journal stays in memory, because to continue the machine's journal would
// copy all of it, and has no rate limit. A limit of one byte turns core(5) dumps off: with any other limit the kernel
// would hand those of a container to the machine's own systemd-coredump, which would keep them.
var ownFiles = []File{
	{Name: "/etc/systemd/system/" + DefaultUnit, Data: []byte(defaultUnitText)},
	{
		Name: "/etc/systemd/journald.conf.d/zz-temper-place.conf",
		Data: []byte("[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRateLimitBurst=0\n"),
	},
	{Name: "/etc/systemd/system.conf.d/zz-temper-place.conf", Data: []byte("[Manager]\nDefaultLimitCORE=1\n")},
}

// kernelCommandLine is what PID 1 of the container gets as arguments.
func (c Config) kernelCommandLine() []string {
	words := slices.Clone(bootWords)
	unit := c.Unit
	if unit == "" {
		unit = DefaultUnit
		words = append(words, quietWords...)
	}
	for _, name := range masked {
		words = append(words, "systemd.mask="+name)
	}
	return append(append(words, "systemd.unit="+unit), c.Args...)
}
