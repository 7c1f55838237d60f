// Package witness records which system calls of a service the kernel refused, as evidence for what a sandbox broke.
//
// [Start] it on the service's cgroup, which need not exist yet, before the service starts, and [Witness.Stop] it after
// the trial. The denials of the hardened trial that the baseline does not have ([Record.Minus]) are the evidence, and
// [Denial.Restrictions] says what may have caused each of them.
//
// An eBPF program on the raw tracepoint sys_exit sees every failed call in the cgroup, one on sys_enter tells which
// calls seccomp refused, one on signal_deliver sees deaths by seccomp, and since Linux 6.14 one on cap_capable sees
// which capabilities a call lacks. This package assembles them for the running kernel, without a compiler, BTF or
// files. It needs Linux 5.8, root and a cgroup2 file system, on x86-64 or arm64. It counts the events that do not fit
// into its buffer.
//
// Limits: io_uring makes no system calls, so what it does for a process is not seen; a path is cut at 511 bytes; a
// relative path stays relative if the process ends before its directory is read.
package witness

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"temper/internal/values"
)

// ErrUnsupported is wrapped by the errors of [Start] that mean that a witness cannot run with this kernel or in this
// environment. Any other error is about the cgroup.
var ErrUnsupported = errors.New("the kernel grants no witness")

// ringSize is the size of the ring buffer in bytes, for about 3,600 unread events.
const ringSize = 4 << 20

// Witness is a running recording. It is not safe for concurrent use.
type Witness struct {
	programs
	granted   *ebpf.Map // capabilities by cgroup
	collector *collector
	done      sync.WaitGroup
	readErr   error
}

// programs are the programs of a recording that run in the kernel, and their maps.
type programs struct {
	cgroup  *cgroup
	closers []func() error // in the order of opening
	links   []link.Link
	dropped *ebpf.Map
	reader  *ringbuf.Reader
}

// Start records the refused calls of all processes in a cgroup, a directory such as
// /sys/fs/cgroup/system.slice/x.service, and in the cgroups below it. The cgroup may be made and removed several times
// while the witness runs. Start makes a missing parent, and Stop removes it if it is unused. An error can also mean
// that too little is left for a witness; see temper/internal/scarce.
func Start(path string) (*Witness, error) { return start(path, ringSize) }

func start(path string, ringSize uint32) (*Witness, error) {
	cg, err := openCgroup(path)
	if err != nil {
		return nil, err
	}
	w := &Witness{programs: programs{cgroup: cg}, collector: newCollector(cg)}
	w.closers = append(w.closers, cg.Close)
	if err := w.attach(ringSize); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, errors.Join(err, w.close()))
	}
	w.done.Go(func() { w.readErr = w.collector.read(w.reader) })
	return w, nil
}

// attach loads the programs and starts them.
func (w *Witness) attach(ringSize uint32) error {
	l, err := w.prepare()
	if err != nil {
		return err
	}
	made, m, err := w.makeMaps(l, ringSize, &ebpf.MapSpec{
		Name: "temper_granted", Type: ebpf.LRUCPUHash, KeySize: 8, ValueSize: 8, MaxEntries: 4096,
	})
	if err != nil {
		return err
	}
	w.granted = made[0]
	m.Granted = w.granted.FD()
	// sys_enter is first: without its event, a call would look like one that seccomp refused.
	if err := w.run("sys_enter", enterProgram(m)); err != nil {
		return err
	}
	if w.collector.knowsLacked, err = w.runIfThere("cap_capable", capabilityProgram(m)); err != nil {
		return err
	}
	if err := w.run("sys_exit", exitProgram(l, m)); err != nil {
		return err
	}
	return w.run("signal_deliver", signalProgram(m, underCgroup(m), child(m)))
}

// prepare returns where this kernel keeps the registers of a call, and lifts the limit on memory for maps.
func (p *programs) prepare() (layout, error) {
	l, known := layouts[runtime.GOARCH]
	if !known {
		return l, fmt.Errorf("the registers of %s are not known", runtime.GOARCH)
	}
	return l, rlimit.RemoveMemlock()
}

// makeMaps makes the maps that all programs have and fills in their tables, and makes more maps.
func (p *programs) makeMaps(l layout, ringSize uint32, more ...*ebpf.MapSpec) ([]*ebpf.Map, tables, error) {
	specs := append([]*ebpf.MapSpec{
		{Name: "temper_cgroup", Type: ebpf.CGroupArray, KeySize: 4, ValueSize: 4, MaxEntries: 1},
		{Name: "temper_calls", Type: ebpf.Array, KeySize: 4, ValueSize: wantBytes, MaxEntries: maxNumber + 1},
		{Name: "temper_entered", Type: ebpf.LRUHash, KeySize: 8, ValueSize: 8, MaxEntries: 16384},
		{Name: "temper_ring", Type: ebpf.RingBuf, MaxEntries: ringSize},
		{Name: "temper_dropped", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1},
	}, more...)
	var made []*ebpf.Map
	for _, spec := range specs {
		m, err := ebpf.NewMap(spec)
		if err != nil {
			return nil, tables{}, fmt.Errorf("map %s: %w", spec.Name, err)
		}
		made = append(made, m)
		p.closers = append(p.closers, m.Close)
	}
	if err := made[0].Put(uint32(0), uint32(p.cgroup.parent.Fd())); err != nil {
		return nil, tables{}, fmt.Errorf("watch %s: %w", p.cgroup.parent.Name(), err)
	}
	if err := fillCalls(l, made[1]); err != nil {
		return nil, tables{}, err
	}
	var err error
	if p.reader, err = ringbuf.NewReader(made[3]); err != nil {
		return nil, tables{}, fmt.Errorf("ring buffer: %w", err)
	}
	p.closers = append(p.closers, p.reader.Close)
	p.dropped = made[4]
	return made[5:], tables{
		Cgroup: made[0].FD(), Calls: made[1].FD(), Entered: made[2].FD(), Ring: made[3].FD(), Dropped: made[4].FD(),
		CgroupID: p.cgroup.id,
	}, nil
}

// runIfThere is run for a tracepoint that older kernels do not have, as Linux before 6.14 has no cap_capable. It
// reports whether this one has it.
func (p *programs) runIfThere(tracepoint string, spec *ebpf.ProgramSpec) (bool, error) {
	err := p.run(tracepoint, spec)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// fillCalls writes what is wanted of each call into the map of calls.
func fillCalls(l layout, m *ebpf.Map) error {
	var numbers [maxNumber + 1]uint32
	var rows [maxNumber + 1][wantBytes]byte
	for i := range numbers {
		numbers[i] = uint32(i)
		rows[i] = want(l, callOf(callNames[runtime.GOARCH][numbers[i]]))
	}
	if _, err := m.BatchUpdate(numbers[:], rows[:], nil); err != nil {
		return fmt.Errorf("map of calls: %w", err)
	}
	return nil
}

// run loads a program and attaches it to a raw tracepoint.
func (p *programs) run(tracepoint string, spec *ebpf.ProgramSpec) error {
	l, err := attach(tracepoint, spec)
	if err != nil {
		return err
	}
	p.links = append(p.links, l)
	return nil
}

// attach loads a program and attaches it to a raw tracepoint until the link is closed.
func attach(tracepoint string, spec *ebpf.ProgramSpec) (link.Link, error) {
	p, err := ebpf.NewProgram(spec)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", spec.Name, err)
	}
	defer p.Close() // the link keeps it
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: tracepoint, Program: p})
	if err != nil {
		return nil, fmt.Errorf("attach to %s: %w", tracepoint, err)
	}
	return l, nil
}

// Stop ends the recording and returns it. Calls of processes that still run may be missing. After an error, the record
// is incomplete.
func (w *Witness) Stop() (Record, error) {
	err := w.detach()
	if ferr := w.reader.Flush(); ferr != nil {
		err = errors.Join(err, ferr, w.reader.Close())
	}
	w.done.Wait()
	granted, gerr := w.readGranted()
	dropped, derr := w.readDropped()
	err = errors.Join(err, w.readErr, gerr, derr, w.close())
	record := w.collector.record()
	record.Granted, record.GrantedKnown = granted, w.collector.knowsLacked
	record.Dropped += dropped
	return record, err
}

// readDropped returns how many events did not fit into the ring buffer.
func (p *programs) readDropped() (n uint64, err error) {
	var perCPU []uint64
	err = p.dropped.Lookup(uint32(0), &perCPU)
	for _, some := range perCPU {
		n += some
	}
	return n, err
}

// readGranted returns the capabilities that the watched cgroup was granted.
func (w *Witness) readGranted() (values.CapSet, error) {
	var all values.CapSet
	var cgroup uint64
	var perCPU []uint64
	entries := w.granted.Iterate()
	for entries.Next(&cgroup, &perCPU) {
		for _, set := range perCPU {
			if w.cgroup.has(cgroup) {
				all |= values.CapSet(set)
			}
		}
	}
	return all, entries.Err()
}

func (p *programs) detach() error {
	var err error
	for _, l := range p.links {
		err = errors.Join(err, l.Close())
	}
	p.links = nil
	return err
}

// close closes everything that was opened, in reverse order.
func (p *programs) close() error {
	err := p.detach()
	for i := len(p.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, p.closers[i]())
	}
	p.closers = nil
	return err
}

// want is the row of the map of calls for a call, as bpf_programs.go lays it out.
func want(l layout, c call) (row [wantBytes]byte) {
	bits := maskOf(slices.Concat(usual, c.Errnos))
	register := func(arg int) uint32 {
		if arg == 0 {
			return 0
		}
		return uint32(l.Args[arg-1])
	}
	order.PutUint64(row[wantLow:], bits[0])
	order.PutUint64(row[wantHigh:], bits[1])
	order.PutUint32(row[wantPath:], register(c.Path))
	order.PutUint32(row[wantTo:], register(c.To))
	order.PutUint32(row[wantData:], register(c.Data))
	order.PutUint32(row[wantSize:], register(c.Size))
	order.PutUint32(row[wantUse:], useOf(c).register(l))
	order.PutUint32(row[wantMask:], useOf(c).Mask)
	return row
}

// maskOf has a bit for each error.
func maskOf(list []unix.Errno) (bits [2]uint64) {
	for _, e := range list {
		bits[e/64] |= 1 << (e % 64)
	}
	return bits
}
