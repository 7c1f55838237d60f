package witness

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// monitorRing is the size of the ring buffer of a monitor in bytes, for about 900 unread events.
const monitorRing = 1 << 20

// maxPerSecond is how many refusals with the same error one unit may report in about a second. Others are counted.
const maxPerSecond = 1000

// maxUnits is how many cgroups a monitor can follow.
const maxUnits = 4096

// Monitor reports the refused calls of many cgroups. In contrast to a [Witness] it is made for production: every
// process of the machine pays for it, so it only sees calls as they end, and leaves at once where they succeeded. What
// it cannot know: whether a filter or the kernel refused a call, and which capabilities a call lacked.
//
// One goroutine may call Read, and another one the other methods.
type Monitor struct {
	units, generation, dropped *ebpf.Map
	reader                     *ringbuf.Reader
	closers                    []func() error // in the order of opening
	changes                    uint64         // of units
}

// NewMonitor starts a monitor that follows no cgroup yet. The error wraps [ErrUnsupported] where this kernel does not
// let it run.
func NewMonitor() (*Monitor, error) {
	m := &Monitor{}
	if err := m.start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, errors.Join(err, m.Close()))
	}
	return m, nil
}

func (m *Monitor) start() error {
	l, known := layouts[runtime.GOARCH]
	if !known {
		return fmt.Errorf("the registers of %s are not known", runtime.GOARCH)
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return err
	}
	t, ring, err := m.makeMaps(l)
	if err != nil {
		return err
	}
	if m.reader, err = ringbuf.NewReader(ring); err != nil {
		return fmt.Errorf("ring buffer: %w", err)
	}
	m.closers = append(m.closers, m.reader.Close)
	programs := map[string]*ebpf.ProgramSpec{
		"sys_exit":       monitorProgram(l, t),
		"signal_deliver": signalProgram(t.tables, followedUnit(t), unitOfEvent()),
	}
	for tracepoint, spec := range programs {
		var attached link.Link
		if attached, err = attach(tracepoint, spec); err != nil {
			return err
		}
		m.closers = append(m.closers, attached.Close)
	}
	return nil
}

// The value of the map of units, by cgroup id.
const (
	unitErrnos     = 0  // [2]uint64, a bit for each error that a directive of its plan can cause
	unitSuppressed = 16 // uint64, refusals that came too fast
	unitBytes      = 24
)

// A slot of the cache. A cgroup has the slot of the last bits of its id, which the kernel counts up: that needs no hash
// and no lock. Each processor has slots of its own, and runs these programs one after the other.
const (
	slotCgroup     = 0  // uint64
	slotGeneration = 8  // uint64
	slotUnit       = 16 // uint64, 0 if the cgroup belongs to none
	slotBytes      = 24
	slots          = 1024
)

// monitorTables are the file descriptors of the maps of a monitor.
type monitorTables struct {
	tables
	Units      int // what is followed, by cgroup id
	Cache      int // the unit of cgroups that have called, and the generation in which that was true
	Rates      int // refusals of one unit with one error in one second
	Generation int // one number, which changes with Units
}

func (m *Monitor) makeMaps(l layout) (monitorTables, *ebpf.Map, error) {
	specs := []*ebpf.MapSpec{
		{Name: "temper_calls", Type: ebpf.Array, KeySize: 4, ValueSize: wantBytes, MaxEntries: maxNumber + 1},
		{Name: "temper_ring", Type: ebpf.RingBuf, MaxEntries: monitorRing},
		{Name: "temper_dropped", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: 1},
		{Name: "temper_units", Type: ebpf.Hash, KeySize: 8, ValueSize: unitBytes, MaxEntries: maxUnits},
		{Name: "temper_cache", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: slotBytes, MaxEntries: slots},
		{Name: "temper_rates", Type: ebpf.LRUHash, KeySize: 16, ValueSize: 16, MaxEntries: 2048},
		{Name: "temper_changes", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1},
	}
	var made [7]*ebpf.Map
	for i, spec := range specs {
		one, err := ebpf.NewMap(spec)
		if err != nil {
			return monitorTables{}, nil, fmt.Errorf("map %s: %w", spec.Name, err)
		}
		made[i] = one
		m.closers = append(m.closers, one.Close)
	}
	if err := fillCalls(l, made[0]); err != nil {
		return monitorTables{}, nil, err
	}
	m.dropped, m.units, m.generation = made[2], made[3], made[6]
	return monitorTables{
		tables: tables{Calls: made[0].FD(), Ring: made[1].FD(), Dropped: made[2].FD()},
		Units:  made[3].FD(), Cache: made[4].FD(), Rates: made[5].FD(), Generation: made[6].FD(),
	}, made[1], m.changed()
}

// changed makes the programs forget which unit each cgroup belongs to.
func (m *Monitor) changed() error {
	m.changes++
	return m.generation.Put(uint32(0), m.changes)
}

// Follow makes the monitor report the refused calls of all processes in the cgroup with an id, and in the cgroups below
// it that are not followed themselves, as far as they end with one of the errors. The id of a cgroup is the inode
// number of its directory.
func (m *Monitor) Follow(cgroup uint64, errnos []unix.Errno) error {
	var row [unitBytes]byte
	for i, word := range maskOf(errnos) {
		order.PutUint64(row[unitErrnos+8*i:], word)
	}
	if err := m.units.Put(cgroup, row); err != nil {
		return fmt.Errorf("follow the cgroup %d: %w", cgroup, err)
	}
	return m.changed()
}

// Forget ends what Follow began.
func (m *Monitor) Forget(cgroup uint64) error {
	if err := m.units.Delete(cgroup); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("forget the cgroup %d: %w", cgroup, err)
	}
	return m.changed()
}

// Suppressed returns how many refusals of a cgroup that is followed were only counted, since they came too fast.
func (m *Monitor) Suppressed(cgroup uint64) (uint64, error) {
	var row [unitBytes]byte
	if err := m.units.Lookup(cgroup, &row); err != nil {
		return 0, fmt.Errorf("the cgroup %d: %w", cgroup, err)
	}
	return order.Uint64(row[unitSuppressed:]), nil
}

// Dropped returns how many refusals were lost since the ring buffer was full.
func (m *Monitor) Dropped() (all uint64, err error) {
	var perCPU []uint64
	err = m.dropped.Lookup(uint32(0), &perCPU)
	for _, n := range perCPU {
		all += n
	}
	return all, err
}

// Read waits for the next refusal and returns it with the cgroup that is followed. It leaves out what systemd was
// refused while it set up a service. After Close it returns [io.EOF].
func (m *Monitor) Read(into *ringbuf.Record) (cgroup uint64, d Denial, err error) {
	for {
		switch err := m.reader.ReadInto(into); {
		case errors.Is(err, os.ErrClosed):
			return 0, Denial{}, io.EOF
		case err != nil:
			return 0, Denial{}, fmt.Errorf("ring buffer: %w", err)
		}
		event := into.RawSample
		if len(event) < eventSize || order.Uint32(event[eventNumber:]) == noCall {
			continue
		}
		d := decode(event)
		if d.bySystemd() {
			continue
		}
		d.Root, d.Count = order.Uint32(event[eventUser:]) == 0, 1
		return order.Uint64(event[eventCgroup:]), d, nil
	}
}

// Close ends the monitor and a Read that waits.
func (m *Monitor) Close() error {
	var err error
	for _, c := range slices.Backward(m.closers) {
		err = errors.Join(err, c())
	}
	m.closers = nil
	return err
}

// Local variables of the programs of a monitor, as offsets from the frame pointer, besides those that all have.
const (
	varCgroup     = -264
	varGeneration = -280 // with varUnit the value of the map of the cache
	varUnit       = -272
	varRateUnit   = -296 // with varRateErrno a key of the map of rates
	varRateErrno  = -288
	varSecond     = -312 // with varRate a value of the map of rates
	varRate       = -304
)

// monitorProgram is for the raw tracepoint sys_exit: R7 result, R8 struct pt_regs, R9 what is wanted of the call.
func monitorProgram(l layout, m monitorTables) *ebpf.ProgramSpec {
	code := asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, 8, asm.DWord),
		asm.JSGT.Imm(asm.R7, -1, "out"), // nearly every call leaves here
		asm.JSLT.Imm(asm.R7, -maxErrno, "out"),
		asm.LoadMem(asm.R8, asm.R1, 0, asm.DWord),
	}
	code = append(code, anyWants()...)
	code = append(code, followedUnit(m)...)
	code = append(code, asm.StoreImm(asm.RFP, varFilter, 0, asm.Word)) // not known
	code = append(code, set(asm.RFP, varLacked, 0)...)
	code = append(code, wantedError(l, m.tables)...)
	code = append(code, unitWants(m)...)
	code = append(code, notTooMany(m)...)
	code = append(code, reserve(m.tables)...)
	code = append(code, unitOfEvent()...)
	return program("temper_monitor", append(code, describeCall(l)...))
}

// anyWants leaves if no directive at all causes the error in R7. EAGAIN is left out too: servers get it all the time,
// and of the restrictions only a lack of CAP_IPC_LOCK shows so.
func anyWants() asm.Instructions {
	mask := maskOf(slices.DeleteFunc(AllErrnos(), func(e unix.Errno) bool { return e == unix.EAGAIN }))
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Neg.Imm(asm.R1, 0),
		asm.LoadImm(asm.R2, int64(mask[0]), asm.DWord),
		asm.JLT.Imm(asm.R1, 64, "low"),
		asm.LoadImm(asm.R2, int64(mask[1]), asm.DWord),
		asm.Sub.Imm(asm.R1, 64),
		asm.RSh.Reg(asm.R2, asm.R1).WithSymbol("low"),
		asm.And.Imm(asm.R2, 1),
		asm.JEq.Imm(asm.R2, 0, "out"),
	}
}

// followedUnit leaves unless the task is in a cgroup that is followed, or below one, and notes the id of the nearest.
// Which one that is is looked up only once for each cgroup until the units change: the generation is read before
// the search, so that an answer from before a change is never taken for one from after it. It uses R6.
func followedUnit(m monitorTables) asm.Instructions {
	code := asm.Instructions{
		asm.FnGetCurrentCgroupId.Call(),
		asm.StoreMem(asm.RFP, varCgroup, asm.R0, asm.DWord),
		asm.And.Imm(asm.R0, slots-1),
		asm.StoreMem(asm.RFP, varIndex, asm.R0, asm.Word),
		asm.LoadMapValue(asm.R1, m.Generation, 0),
		asm.LoadMem(asm.R1, asm.R1, 0, asm.DWord),
		asm.StoreMem(asm.RFP, varGeneration, asm.R1, asm.DWord),
	}
	code = append(code, lookup(m.Cache, varIndex)...)
	code = append(code,
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Reg(asm.R6, asm.R0),
	)
	code = append(code, differs(slotCgroup, varCgroup, "search")...)
	code = append(code, differs(slotGeneration, varGeneration, "search")...)
	code = append(code,
		asm.LoadMem(asm.R1, asm.R6, slotUnit, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.StoreMem(asm.RFP, varUnit, asm.R1, asm.DWord),
		asm.Ja.Label("found"),
		asm.Mov.Imm(asm.R1, 0).WithSymbol("search"),
		asm.StoreMem(asm.RFP, varUnit, asm.R1, asm.DWord),
	)
	for level := int32(1); level <= maxDepth; level++ {
		code = append(code,
			asm.Mov.Imm(asm.R1, level),
			asm.FnGetCurrentAncestorCgroupId.Call(),
			asm.JEq.Imm(asm.R0, 0, "searched"), // deeper than the task's own
			asm.StoreMem(asm.RFP, varTemp, asm.R0, asm.DWord),
		)
		code = append(code, lookup(m.Units, varTemp)...)
		code = append(code,
			asm.JEq.Imm(asm.R0, 0, above(level)),
			asm.LoadMem(asm.R1, asm.RFP, varTemp, asm.DWord),
			asm.StoreMem(asm.RFP, varUnit, asm.R1, asm.DWord),
			asm.Mov.Imm(asm.R0, 0).WithSymbol(above(level)),
		)
	}
	code = append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol("searched"))
	for _, f := range [][2]int16{{slotCgroup, varCgroup}, {slotGeneration, varGeneration}, {slotUnit, varUnit}} {
		code = append(code,
			asm.LoadMem(asm.R1, asm.RFP, f[1], asm.DWord),
			asm.StoreMem(asm.R6, f[0], asm.R1, asm.DWord),
		)
	}
	return append(code,
		asm.LoadMem(asm.R1, asm.RFP, varUnit, asm.DWord),
		asm.JEq.Imm(asm.R1, 0, "out"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("found"),
	)
}

// differs jumps if a field of the slot at R6 is another than a variable.
func differs(field, variable int16, to string) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.R6, field, asm.DWord),
		asm.LoadMem(asm.R2, asm.RFP, variable, asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, to),
	}
}

// unitWants leaves unless a directive of the unit's plan can cause the error in R7.
func unitWants(m monitorTables) asm.Instructions {
	return append(lookup(m.Units, varUnit),
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.LoadMem(asm.R2, asm.R0, unitErrnos, asm.DWord),
		asm.JLT.Imm(asm.R1, 64, "first"),
		asm.LoadMem(asm.R2, asm.R0, unitErrnos+8, asm.DWord),
		asm.Sub.Imm(asm.R1, 64),
		asm.RSh.Reg(asm.R2, asm.R1).WithSymbol("first"),
		asm.And.Imm(asm.R2, 1),
		asm.JEq.Imm(asm.R2, 0, "out"),
	)
}

// notTooMany counts the refusal and leaves if the unit has had too many with this error in this second: a service that
// is refused one thing again and again must not hide what else it is refused, nor slow the machine down.
func notTooMany(m monitorTables) asm.Instructions {
	code := asm.Instructions{
		asm.FnKtimeGetNs.Call(),
		asm.RSh.Imm(asm.R0, 30), // about a second
		asm.StoreMem(asm.RFP, varSecond, asm.R0, asm.DWord),
		asm.LoadMem(asm.R1, asm.RFP, varUnit, asm.DWord),
		asm.StoreMem(asm.RFP, varRateUnit, asm.R1, asm.DWord),
		asm.StoreMem(asm.RFP, varRateErrno, asm.R7, asm.DWord),
	}
	code = append(code, lookup(m.Rates, varRateUnit)...)
	code = append(code,
		asm.JEq.Imm(asm.R0, 0, "fresh"),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.LoadMem(asm.R2, asm.RFP, varSecond, asm.DWord),
		asm.JNE.Reg(asm.R1, asm.R2, "fresh"),
		asm.LoadMem(asm.R1, asm.R0, 8, asm.DWord),
		asm.JGE.Imm(asm.R1, maxPerSecond, "suppress"),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 8, asm.R1, asm.DWord),
		asm.Ja.Label("report"),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("suppress"),
	)
	code = append(code, lookup(m.Units, varUnit)...)
	code = append(code,
		asm.JEq.Imm(asm.R0, 0, "out"),
		asm.Add.Imm(asm.R0, unitSuppressed),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Ja.Label("out"),
		asm.Mov.Imm(asm.R1, 1).WithSymbol("fresh"),
		asm.StoreMem(asm.RFP, varRate, asm.R1, asm.DWord),
	)
	code = append(code, store(m.Rates, varRateUnit, varSecond)...)
	return append(code, asm.Mov.Imm(asm.R0, 0).WithSymbol("report"))
}

// unitOfEvent fills the cgroup into the event at R6.
func unitOfEvent() asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R1, asm.RFP, varUnit, asm.DWord),
		asm.StoreMem(asm.R6, eventCgroup, asm.R1, asm.DWord),
	}
}
