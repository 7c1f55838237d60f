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

// masked are units that wait for a network which a place does not have or for somebody at its console, or that take time
// for no service's good.
// systemd.mask= names them to systemd-debug-generator(8), so that /etc stays as it is.
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

// capabilities are those that systemd-nspawn(1) withholds although they reach nothing outside the container, and that
// services ask for.
var capabilities = []string{"CAP_IPC_LOCK"}

// calls are allowed beside those of systemd-nspawn(1): systemd enforces DeviceAllow=, IPAddressDeny=, SocketBindDeny= and
// RestrictNetworkInterfaces= with bpf(2), and goes on without where it is refused. Without CAP_SYS_TIME, which a place does
// not have, the calls for the clock only tell how exact it is, which time servers want to know.
var calls = []string{"bpf", "adjtimex", "clock_adjtime"}

// settled are files of every place. Its journal stays in memory, since going on with the machine's would copy all of it,
// and loses no message to a rate limit. A limit of one byte is how core(5) dumps are turned off: with any other the
// kernel would hand those of a container to the machine's own systemd-coredump, which would keep them.
var settled = []File{
	{Name: "/etc/systemd/system/" + bootUnit, Data: []byte(bootUnitText)},
	{
		Name: "/etc/systemd/journald.conf.d/zz-temper-place.conf",
		Data: []byte("[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRateLimitBurst=0\n"),
	},
	{Name: "/etc/systemd/system.conf.d/zz-temper-place.conf", Data: []byte("[Manager]\nDefaultLimitCORE=1\n")},
}

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
