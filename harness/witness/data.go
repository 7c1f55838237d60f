package witness

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// addData puts the structure that a call was given into the fields of the denial.
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

// socketAddress shows a struct sockaddr: the path of a unix socket, "@name" of an abstract one, or address and port. Of
// other families it shows the family alone.
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
