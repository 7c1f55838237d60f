package witness

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
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
	if errno == 0 {
		return "SIGSYS"
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
