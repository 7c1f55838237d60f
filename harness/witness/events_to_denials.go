package witness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"temper/internal/values"
)

// order is the byte order of the programs' events and maps. Both architectures are little-endian.
var order = binary.LittleEndian

// maxDenials bounds the number of different denials: a service that tries endless new names must not fill the memory.
const maxDenials = 20000

// collector turns events into denials.
type collector struct {
	knowsLacked bool // the kernel reports which capabilities a call lacks
	cgroup      *cgroup
	denials     map[Denial]*tally // by denials without PID and Count
	dropped     uint64
}

// tally is how often a denial happened, and to which process first.
type tally struct {
	pid, count int
	setup      bool
	root       bool
}

func newCollector(c *cgroup) *collector { return &collector{cgroup: c, denials: map[Denial]*tally{}} }

// read takes events from the ring buffer until it has been flushed.
func (n *collector) read(r *ringbuf.Reader) error {
	var rec ringbuf.Record
	for {
		switch err := r.ReadInto(&rec); {
		case errors.Is(err, ringbuf.ErrFlushed), errors.Is(err, ringbuf.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("ring buffer: %w", err)
		}
		n.add(rec.RawSample)
	}
}

// noCall is the number of a return from a signal handler. Such an event repeats the result of the call before it, which
// is recorded already.
const noCall = 0xffffffff

// add records one event, whose layout is in bpf_programs.go.
func (n *collector) add(event []byte) {
	if len(event) < eventSize || !n.cgroup.has(order.Uint64(event[eventCgroup:])) ||
		order.Uint32(event[eventNumber:]) == noCall {
		return
	}
	d := decode(event)
	if n.knowsLacked && d.Errno != "SIGSYS" {
		d.LackedKnown, d.Lacked = true, values.CapSet(order.Uint64(event[eventLacked:]))
	}
	pid := d.PID
	d.PID = 0
	t, known := n.denials[d]
	switch {
	case !known && len(n.denials) >= maxDenials:
		n.dropped++
		return
	case !known:
		t = &tally{pid: pid, setup: d.bySystemd()}
		n.denials[d] = t
	}
	t.count++
	t.root = t.root || order.Uint32(event[eventUser:]) == n.cgroup.root
}

// record returns the denials so far.
func (n *collector) record() Record {
	r := Record{Dropped: n.dropped}
	for _, d := range slices.SortedFunc(maps.Keys(n.denials), compare) {
		t := n.denials[d]
		d.PID, d.Count, d.Root = t.pid, t.count, t.root
		if t.setup {
			r.Setup = append(r.Setup, d)
		} else {
			r.Denials = append(r.Denials, d)
		}
	}
	return r
}

// bySystemd reports whether the denial is about systemd itself while it set up the service: until its child executes
// the program, the name of the child is that of the program in parentheses. A denied execution of the program, and
// death by the filter that systemd has just installed, count as denials of the service.
func (d Denial) bySystemd() bool {
	if d.Errno == "SIGSYS" || strings.HasPrefix(d.Syscall, "execve") && d.Errno != "ENOENT" {
		return false
	}
	// systemd-executor(8) is started by its descriptor and is called after that number until it has named itself.
	if _, err := strconv.Atoi(d.Process); err == nil && d.Syscall == "setsockopt" {
		return true
	}
	return strings.HasPrefix(d.Process, "(") || d.Process == "systemd" || d.Process == "systemd-executo"
}

// decode decodes an event, except for its cgroup. It reads the directories of the process at once, before that ends.
func decode(event []byte) Denial {
	task := order.Uint64(event[eventTask:])
	d := Denial{
		Syscall:  callName(order.Uint32(event[eventNumber:]), order.Uint32(event[eventArch:])),
		Errno:    errnoName(order.Uint32(event[eventErrno:])),
		Process:  unix.ByteSliceToString(event[eventComm : eventComm+16]),
		PID:      int(task >> 32),
		Filtered: order.Uint32(event[eventFilter:]) != 0,
	}
	c := callOf(d.Syscall)
	if d.Errno == "SIGSYS" {
		return d // the signal does not have the arguments
	}
	var args [6]uint64
	for i := range args {
		args[i] = order.Uint64(event[eventArgs+8*i:])
	}
	for _, n := range c.Scalars {
		d.Args[n-1] = uint64(uint32(args[n-1])) // the upper half of an int is not defined
	}
	d.dropUnusedMode()
	text := field(event[eventPath:eventPath+pathSize], event[eventPathLen:])
	to := field(event[eventTo:eventTo+pathSize], event[eventToLen:])
	tid := uint32(task)
	switch {
	case c.Data != 0:
		d.addData(text)
	case c.Text:
		d.Path = unix.ByteSliceToString(text)
	case c.Path != 0 || c.Dir != 0:
		d.Path = resolve(tid, c.Path, c.Dir, args, unix.ByteSliceToString(text))
	}
	if c.To != 0 {
		d.To = resolve(tid, c.To, c.ToDir, args, unix.ByteSliceToString(to))
	}
	return d
}

// dropUnusedMode removes the mode of a call that opens a file and makes none: nobody has set it, and it is random.
func (d *Denial) dropUnusedMode() {
	const makes = unix.O_CREAT | unix.O_TMPFILE&^unix.O_DIRECTORY
	if flags, opens := d.openFlags(); opens && flags&makes == 0 && d.Syscall != "openat2" {
		d.Args[modeArg[d.Syscall]] = 0
	}
}

// field returns as much of a field as its length says.
func field(buf, length []byte) []byte {
	return buf[:max(0, min(int(int32(order.Uint32(length))), len(buf)))]
}

// callName names a call by its number and, if it is not the native one, its architecture.
func callName(number, arch uint32) string {
	const x32 = 0x40000000 // __X32_SYSCALL_BIT
	l := layouts[runtime.GOARCH]
	switch name, known := callNames[runtime.GOARCH][number]; {
	case arch != 0 && arch != l.Arch:
		return fmt.Sprintf("%s call %d", l.ForeignName, number)
	case known:
		return name
	case runtime.GOARCH == "amd64" && number&x32 != 0:
		return fmt.Sprintf("x32 call %d", number&^x32)
	}
	return fmt.Sprintf("call %d", number)
}

func errnoName(errno uint32) string {
	switch errno {
	case 0:
		return "SIGSYS"
	case succeeded:
		return ""
	}
	if name := unix.ErrnoName(unix.Errno(errno)); name != "" {
		return name
	}
	return fmt.Sprintf("errno %d", errno)
}

// resolve makes the path of a call absolute if it can. A call whose path is not one, or is empty, is about the
// directory.
func resolve(tid uint32, pathArg, dirArg int, args [6]uint64, path string) string {
	if strings.HasPrefix(path, "/") {
		return path
	}
	if pathArg != 0 && args[pathArg-1] == 0 || pathArg != 0 && path == "" && dirArg == 0 {
		return "" // no path was given, or none that could be read
	}
	dir := fmt.Sprintf("/proc/%d/cwd", tid)
	if dirArg != 0 && int32(args[dirArg-1]) != unix.AT_FDCWD {
		dir = fmt.Sprintf("/proc/%d/fd/%d", tid, int32(args[dirArg-1]))
	}
	target, err := os.Readlink(dir)
	if err != nil || !strings.HasPrefix(target, "/") {
		return path
	}
	if path == "" {
		return target
	}
	return strings.TrimSuffix(target, "/") + "/" + path // not cleaned: a link before ".." would be lost
}

// addData decodes the structure that a call has as its argument into the fields of the denial.
func (d *Denial) addData(data []byte) {
	switch d.Syscall {
	case "clone3": // struct clone_args: flags is the first of its members
		if len(data) >= 8 {
			d.Args[0] = order.Uint64(data)
		}
	case "capset":
		d.Args[1] = uint64(wantedCapabilities(data))
	case "sched_setattr": // struct sched_attr: size, sched_policy
		if len(data) >= 8 {
			d.Args[1] = uint64(order.Uint32(data[4:]))
		}
	default:
		d.Path = socketAddress(data)
	}
}

// wantedCapabilities are those that capset(2) is to give a process in any of its sets; none if they cannot be told. The
// structure is that of version 3 of linux/capability.h: the sets effective, permitted and inheritable up to capability
// 31, and the same from 32 on.
func wantedCapabilities(data []byte) values.CapSet {
	const sets, size = 3, 4
	if len(data) < 2*sets*size {
		return 0
	}
	var all values.CapSet
	for i := 0; i < sets*size; i += size {
		all |= values.CapSet(order.Uint32(data[i:])) | values.CapSet(order.Uint32(data[sets*size+i:]))<<32
	}
	if all&^values.AllCapabilities != 0 {
		return 0 // the structure is that of version 1, which ends sooner
	}
	return all
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
