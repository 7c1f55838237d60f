package nspawn

import (
	"context"
	"os/exec"
	"strings"
	"time"
)

// What the root of a container may do.

// privileges are the options of systemd-nspawn(1) for it.
func (c *Container) privileges() []string {
	calls := append([]string{}, systemCalls...)
	granted := append([]string{}, capabilities...)
	options := []string{"--rlimit=RLIMIT_NOFILE=" + openFiles}
	if c.Users.Private() {
		options = append(options, "--private-users="+c.Users.String(), "--drop-capability="+strings.Join(dropped, ","))
		if c.programs.has("--private-users-ownership=") {
			options = append(options, "--private-users-ownership=off") // the copy belongs to them already
		}
	} else {
		options = append(options, "--private-users=no")
		calls = append(calls, trustedSystemCalls...)
		granted = append(granted, trustedCapabilities...)
	}
	options = append(options, "--capability="+strings.Join(granted, ","))
	if c.programs.has("--restrict-address-families=") {
		options = append(options, "--restrict-address-families="+strings.Join(addressFamilies, " "))
	}
	return append(options, "--system-call-filter="+strings.Join(calls, " "))
}

// capabilities are those that systemd-nspawn(1) withholds although they reach nothing outside the container, and that
// services ask for.
var capabilities = []string{"CAP_IPC_LOCK"}

// openFiles are the soft and the hard limit of open files that systemd gives to services. systemd-nspawn(1) gives a
// container what the kernel gives to PID 1, of which the hard limit is 4096. The systemd of a machine raises it, and
// that of a container with users of its own may not.
const openFiles = "1024:524288"

// dropped are capabilities that systemd-nspawn(1) grants and that a user namespace makes worth nothing.
var dropped = []string{"CAP_MKNOD"}

// systemCalls are allowed beside those of systemd-nspawn(1). Without CAP_SYS_TIME, which a container does not have, the
// calls for the clock only tell how exact it is, which time servers want to know.
var systemCalls = []string{"adjtimex", "clock_adjtime"}

// trustedSystemCalls are allowed as well to a root who is trusted: systemd enforces DeviceAllow=, IPAddressDeny=,
// SocketBindDeny= and RestrictNetworkInterfaces= with bpf(2), and goes on without where it is refused. With bpf(2)
// root can send signals to any process of the machine.
var trustedSystemCalls = []string{"bpf"}

// trustedCapabilities are parts of CAP_SYS_ADMIN, which a root who is trusted has, for services that have these alone.
var trustedCapabilities = []string{"CAP_BPF", "CAP_PERFMON"}

// addressFamilies are all that Linux has: since 261 systemd-nspawn(1) allows those that are named, and is to allow
// only a few by itself.
var addressFamilies = []string{
	"AF_ALG", "AF_APPLETALK", "AF_ATMPVC", "AF_ATMSVC", "AF_AX25", "AF_BLUETOOTH", "AF_BRIDGE", "AF_CAIF",
	"AF_CAN", "AF_DECnet", "AF_IB", "AF_IEEE802154", "AF_INET", "AF_INET6", "AF_IPX", "AF_IRDA", "AF_ISDN",
	"AF_IUCV", "AF_KCM", "AF_KEY", "AF_LLC", "AF_MPLS", "AF_NETBEUI", "AF_NETLINK", "AF_NETROM", "AF_NFC",
	"AF_PACKET", "AF_PHONET", "AF_PPPOX", "AF_QIPCRTR", "AF_RDS", "AF_ROSE", "AF_RXRPC", "AF_SECURITY", "AF_SMC",
	"AF_SNA", "AF_TIPC", "AF_UNIX", "AF_VSOCK", "AF_WANPIPE", "AF_X25", "AF_XDP",
}

// helpText returns what a program says of its options, or "" where it says nothing within a few seconds.
func helpText(program string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	text, _ := exec.CommandContext(ctx, program, "--help").Output() // one without --help has none of the options
	return string(text)
}
