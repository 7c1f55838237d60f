package witness

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// addData decodes the structure that a call has as its argument into the fields of the denial.
func (d *Denial) addData(data []byte) {
	switch d.Syscall {
	case "clone3": // struct clone_args: flags is the first of its members
		if len(data) >= 8 {
			d.Args[0] = order.Uint64(data)
		}
	case "sched_setattr": // struct sched_attr: size, sched_policy
		if len(data) >= 8 {
			d.Args[1] = uint64(order.Uint32(data[4:]))
		}
	default:
		d.Path = socketAddress(data)
	}
}

// socketAddress formats a struct sockaddr: the path of a unix socket, "@name" of an abstract one, or address and port.
// For other families it returns only the family.
func socketAddress(data []byte) string {
	if len(data) < 2 {
		return ""
	}
	family, rest := order.Uint16(data), data[2:]
	switch {
	case family == unix.AF_UNIX && len(rest) > 1 && rest[0] == 0:
		return "@" + string(rest[1:])
	case family == unix.AF_UNIX:
		return unix.ByteSliceToString(rest)
	case family == unix.AF_INET && len(rest) >= 6:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest[2:6])), binary.BigEndian.Uint16(rest)).String()
	case family == unix.AF_INET6 && len(rest) >= 22:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest[6:22])), binary.BigEndian.Uint16(rest)).String()
	}
	return familyName(uint64(family))
}

// families has the address families by number, as RestrictAddressFamilies= calls them.
var families = map[uint64]string{
	unix.AF_UNSPEC: "AF_UNSPEC", unix.AF_UNIX: "AF_UNIX", unix.AF_INET: "AF_INET", unix.AF_AX25: "AF_AX25",
	unix.AF_IPX: "AF_IPX", unix.AF_APPLETALK: "AF_APPLETALK", unix.AF_NETROM: "AF_NETROM", unix.AF_BRIDGE: "AF_BRIDGE",
	unix.AF_ATMPVC: "AF_ATMPVC", unix.AF_X25: "AF_X25", unix.AF_INET6: "AF_INET6", unix.AF_ROSE: "AF_ROSE",
	unix.AF_DECnet: "AF_DECnet", unix.AF_NETBEUI: "AF_NETBEUI", unix.AF_SECURITY: "AF_SECURITY", unix.AF_KEY: "AF_KEY",
	unix.AF_NETLINK: "AF_NETLINK", unix.AF_PACKET: "AF_PACKET", unix.AF_ASH: "AF_ASH", unix.AF_ECONET: "AF_ECONET",
	unix.AF_ATMSVC: "AF_ATMSVC", unix.AF_RDS: "AF_RDS", unix.AF_SNA: "AF_SNA", unix.AF_IRDA: "AF_IRDA",
	unix.AF_PPPOX: "AF_PPPOX", unix.AF_WANPIPE: "AF_WANPIPE", unix.AF_LLC: "AF_LLC", unix.AF_IB: "AF_IB",
	unix.AF_MPLS: "AF_MPLS", unix.AF_CAN: "AF_CAN", unix.AF_TIPC: "AF_TIPC", unix.AF_BLUETOOTH: "AF_BLUETOOTH",
	unix.AF_IUCV: "AF_IUCV", unix.AF_RXRPC: "AF_RXRPC", unix.AF_ISDN: "AF_ISDN", unix.AF_PHONET: "AF_PHONET",
	unix.AF_IEEE802154: "AF_IEEE802154", unix.AF_CAIF: "AF_CAIF", unix.AF_ALG: "AF_ALG", unix.AF_NFC: "AF_NFC",
	unix.AF_VSOCK: "AF_VSOCK", unix.AF_KCM: "AF_KCM", unix.AF_QIPCRTR: "AF_QIPCRTR", unix.AF_SMC: "AF_SMC",
	unix.AF_XDP: "AF_XDP", unix.AF_MCTP: "AF_MCTP",
}

func familyName(n uint64) string {
	n = uint64(uint32(n))
	if name, known := families[n]; known {
		return name
	}
	return fmt.Sprintf("AF_%d", n)
}
