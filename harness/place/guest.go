package place

// What a place boots, and what it must not.

// bootUnit is the unit that a place boots when none is asked for.
const bootUnit = "temper-place.target"

// bootUnitText pulls in what every service may take for granted and D-Bus, but none of the sockets, timers and services
// that the machine has enabled. dbus.service is an alias where the bus is dbus-broker.
const bootUnitText = `[Unit]
Description=Place for trials
Requires=sysinit.target dbus.socket
Wants=dbus.service
After=sysinit.target dbus.socket dbus.service
`

// bootWords go on the place's kernel command line (kernel-command-line(7)), which systemd reads in a container from the
// arguments of PID 1. Each sets aside a part of the boot that waits for devices or for somebody at the console.
var bootWords = []string{
	"fstab=no",            // its file systems are part of the copy already; the devices are not there
	"luks=no",             // crypttab(5): the same
	"systemd.gpt_auto=no", // systemd-gpt-auto-generator(8): the same
	"systemd.swap=no",
	"systemd.firstboot=no", // systemd-firstboot(1) asks questions
	"plymouth.enable=0",
}

// quietWords are added when only the place's own target is booted.
var quietWords = []string{"temper=0"}

// masked are units that wait for a network which a place does not have, or that take time for no service's good.
// systemd.mask= names them to systemd-debug-generator(8), so that /etc stays as it is.
var masked = []string{
	"NetworkManager-wait-online.service",
	"connman-wait-online.service",
	"ifupdown-wait-online.service",
	"ldconfig.service",
	"networking.service",
	"systemd-hwdb-update.service",
	"systemd-journal-catalog-update.service",
	"systemd-networkd-wait-online.service",
	"systemd-time-wait-sync.service",
}

// capabilities are those that systemd-nspawn(1) withholds although they reach nothing outside the container, and that
// services ask for: locking memory, and the BPF programs by which systemd enforces DeviceAllow=, IPAddressDeny= and
// SocketBindDeny=.
var capabilities = []string{"CAP_BPF", "CAP_IPC_LOCK", "CAP_PERFMON"}

// commandLine is what PID 1 of the place gets as arguments.
func (o Options) commandLine() []string {
	words := append([]string(nil), bootWords...)
	unit := o.Unit
	if unit == "" {
		unit = bootUnit
		words = append(words, quietWords...)
	}
	for _, name := range masked {
		words = append(words, "systemd.mask="+name)
	}
	return append(append(words, "systemd.unit="+unit), o.Args...)
}
