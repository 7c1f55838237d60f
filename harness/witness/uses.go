package witness

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"temper/internal/refusal"
	"temper/internal/values"
)

// A Use is something that a service did, with the restriction that would have refused it.
type Use struct {
	Restriction
	Program string // the name of the thread that did it first, at most 15 bytes
	Count   uint64
}

// Uses is a running recording of what a service does: the other direction of a [Witness]. Its methods may be called
// from several goroutines.
//
// It sees system calls and their numbers, paths and addresses: no content, and no arguments of programs. It counts what
// does not fit into its buffers.
type Uses struct {
	programs
	used     *ebpf.Map
	siblings *ebpf.Map
	keep     Keep
	granted  bool // the kernel reports which capabilities a call was granted
	done     sync.WaitGroup
	readErr  error // set when done is

	mu        sync.Mutex
	uses      map[Restriction]*Use
	lost      uint64            // uses for which there was no room, since the last Take
	dropped   uint64            // events that were lost, up to the last Take
	counted   map[useKey]uint64 // of the map used, at the last Take
	made      map[string]bool   // files that the service made
	separates bool              // it was seen to make a namespace
}

// A Keep decides which uses are worth to be recorded. made says that the service has made the file itself.
type Keep func(r Restriction, made bool) bool

// maxUses bounds the number of different uses between two calls of Take, and of files that the service makes.
const maxUses = 20000

// useKey is a key of the map of what was used.
type useKey struct {
	Cgroup       uint64
	Number, Arch uint32
}

// useValue is a value of that map.
type useValue struct {
	Count uint64
	Comm  [16]byte
}

// StartUses records what all processes in a cgroup and below it do. As with [Start], the cgroup may be made and removed
// while the recording runs; the errors are the same.
func StartUses(cgroup string, keep Keep) (*Uses, error) {
	cg, err := openCgroup(cgroup)
	if err != nil {
		return nil, err
	}
	u := &Uses{
		programs: programs{cgroup: cg}, keep: keep,
		uses: map[Restriction]*Use{}, counted: map[useKey]uint64{}, made: map[string]bool{},
	}
	u.closers = append(u.closers, cg.Close)
	if err := u.attach(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, errors.Join(err, u.close()))
	}
	u.done.Go(func() { u.readErr = u.read() })
	return u, nil
}

func (u *Uses) attach() error {
	l, err := u.prepare()
	if err != nil {
		return err
	}
	made, m, err := u.makeMaps(l, ringSize,
		&ebpf.MapSpec{Name: "temper_siblings", Type: ebpf.LRUHash, KeySize: 8, ValueSize: 4, MaxEntries: 4096},
		&ebpf.MapSpec{
			Name: "temper_used", Type: ebpf.LRUHash, KeySize: usedBytes, ValueSize: usedValueBytes, MaxEntries: 8192,
		},
	)
	if err != nil {
		return err
	}
	u.siblings, u.used = made[0], made[1]
	m.Siblings, m.Used = u.siblings.FD(), u.used.FD()
	if err := u.leaveOutSiblings(); err != nil {
		return err
	}
	if err := u.run("sys_enter", useEnterProgram(l, m)); err != nil {
		return err
	}
	if u.granted, err = u.runIfThere("cap_capable", useCapabilityProgram(m)); err != nil {
		return err
	}
	return u.run("sys_exit", useExitProgram(l, m))
}

// leaveOutSiblings tells the programs which cgroups beside the watched one are there already.
func (u *Uses) leaveOutSiblings() error {
	u.cgroup.mu.Lock()
	defer u.cgroup.mu.Unlock()
	for id, name := range u.cgroup.children {
		if name != u.cgroup.name {
			if err := u.siblings.Put(id, uint32(1)); err != nil {
				return fmt.Errorf("cgroup %s: %w", name, err)
			}
		}
	}
	return nil
}

// Take returns what was used since the last call, and how much could not be recorded.
func (u *Uses) Take() (uses []Use, lost uint64, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	err = u.readCounts()
	dropped, derr := u.readDropped()
	lost = u.lost + dropped - u.dropped
	u.dropped, u.lost = dropped, 0
	for _, one := range u.uses {
		uses = append(uses, *one)
	}
	slices.SortFunc(uses, func(a, b Use) int { return strings.Compare(a.String(), b.String()) })
	clear(u.uses)
	return uses, lost, errors.Join(err, derr)
}

// Stop ends the recording and returns what Take would return.
func (u *Uses) Stop() (uses []Use, lost uint64, err error) {
	err = u.detach()
	if ferr := u.reader.Flush(); ferr != nil {
		err = errors.Join(err, ferr, u.reader.Close())
	}
	u.done.Wait()
	uses, lost, terr := u.Take()
	return uses, lost, errors.Join(err, u.readErr, terr, u.close())
}

// read takes events from the ring buffer until it has been flushed.
func (u *Uses) read() error {
	var rec ringbuf.Record
	for {
		switch err := u.reader.ReadInto(&rec); {
		case errors.Is(err, ringbuf.ErrFlushed), errors.Is(err, ringbuf.ErrClosed):
			return nil
		case err != nil:
			return fmt.Errorf("ring buffer: %w", err)
		}
		u.addEvent(rec.RawSample)
	}
}

// addEvent records one call that succeeded or, if its arguments are gone then, that began.
func (u *Uses) addEvent(event []byte) {
	if len(event) < eventSize || order.Uint32(event[eventNumber:]) == noCall {
		return
	}
	if id := order.Uint64(event[eventCgroup:]); !u.cgroup.has(id) {
		_ = u.siblings.Put(id, uint32(1)) // without it, more events come that are left out here
		return
	}
	if order.Uint32(event[eventPathLen:]) <= 1 && isRead(event) {
		return // fstat and the like, about a file that was opened before
	}
	u.add(decode(event))
}

// isRead reports whether the call only finds or reads a file.
func isRead(event []byte) bool {
	return slices.Contains(readCalls, callName(order.Uint32(event[eventNumber:]), order.Uint32(event[eventArch:])))
}

func (u *Uses) add(d Denial) {
	u.mu.Lock()
	defer u.mu.Unlock()
	made := d.makes()
	if made != "" && len(u.made) < maxUses {
		u.made[made] = true
	}
	for _, r := range d.needs() {
		u.separates = u.separates || r.Kind == refusal.Namespace
		if u.keep(r, u.made[r.Subject]) {
			u.count(r, d.Process, 1)
		}
	}
}

func (u *Uses) count(r Restriction, program string, n uint64) {
	one, known := u.uses[r]
	if !known {
		if len(u.uses) >= maxUses {
			u.lost += n
			return
		}
		one = &Use{Restriction: r, Program: program}
		u.uses[r] = one
	}
	one.Count += n
}

// readCounts adds what the programs have counted: calls and capabilities.
func (u *Uses) readCounts() error {
	counted := map[useKey]uint64{}
	var key useKey
	var value useValue
	entries := u.used.Iterate()
	for entries.Next(&key, &value) {
		if !u.cgroup.has(key.Cgroup) {
			continue
		}
		counted[key] = value.Count
		n := value.Count - u.counted[key]
		if value.Count < u.counted[key] { // the entry was lost, and made again
			n = value.Count
		}
		if n > 0 {
			u.addCount(key, unix.ByteSliceToString(value.Comm[:]), n)
		}
	}
	err := entries.Err()
	if errors.Is(err, ebpf.ErrIterationAborted) { // entries come and go meanwhile: the rest comes with the next Take
		err = nil
		for key, n := range u.counted {
			if _, seen := counted[key]; !seen {
				counted[key] = n
			}
		}
	}
	u.counted = counted
	return err
}

func (u *Uses) addCount(key useKey, program string, n uint64) {
	add := func(kind refusal.Kind, name string) {
		if r := (Restriction{kind, name}); u.keep(r, false) {
			u.count(r, program, n)
		}
	}
	if key.Arch == capabilityArch {
		call := callName(key.Number&(1<<capabilityShift-1), 0)
		set := values.CapSet(1) << (key.Number >> capabilityShift)
		for _, name := range set.Names() {
			if u.isAsked(call, name) {
				add(refusal.Capability, name)
			}
		}
		return
	}
	if key.Number == noCall {
		return
	}
	call := callName(key.Number, key.Arch)
	if arch, foreign := (Denial{Syscall: call}).foreign(); foreign {
		add(refusal.Architecture, arch)
		return
	}
	add(refusal.Syscall, call)
	if suspected := asked[call]; !u.granted && len(suspected) == 1 && !slices.Contains(forOwners, suspected[0]) {
		add(refusal.Capability, suspected[0]) // this kernel does not tell what was granted
	}
}

// forOwners are capabilities that a call needs only for what belongs to another user.
var forOwners = []string{"CAP_FOWNER", "CAP_IPC_OWNER", "CAP_KILL", "CAP_SYS_RESOURCE", "CAP_SETPCAP", "CAP_NET_RAW"}

// memoryOfProcess are calls for which the kernel asks for CAP_SYS_ADMIN only to let root have the last of the memory.
var memoryOfProcess = append([]string{
	"brk", "clone", "clone3", "execve", "execveat", "fork", "madvise", "mremap", "munmap", "shmget", "vfork",
}, memoryCalls...)

// isAsked reports whether a call that was granted a capability would have failed without it.
func (u *Uses) isAsked(call, capability string) bool {
	if capability != "CAP_SYS_ADMIN" || !slices.Contains(memoryOfProcess, call) {
		return true
	}
	return u.separates && strings.HasPrefix(call, "clone")
}

// needs lists the restrictions that would have refused a call that succeeded.
func (d Denial) needs() []Restriction {
	var found []Restriction
	for _, r := range rules {
		if r.Asks == nil || r.Calls != nil && !slices.Contains(r.Calls, d.Syscall) || !r.Asks(d) {
			continue
		}
		for _, s := range r.Subject(d) {
			if one := (Restriction{r.Kind, s}); !slices.Contains(found, one) {
				found = append(found, one)
			}
		}
	}
	return found
}

// makes is the file that the call may have made; empty if it makes none.
func (d Denial) makes() string {
	flags, opens := d.openFlags()
	switch {
	case d.To != "" && d.Syscall != "mount" && d.Syscall != "move_mount" && d.Syscall != "pivot_root":
		return d.To
	case slices.Contains(creates, d.Syscall), opens && flags&unix.O_CREAT != 0:
		return d.Path
	}
	return ""
}

// openFlags returns the flags with which a call opens a file.
func (d Denial) openFlags() (flags uint64, opens bool) {
	switch d.Syscall {
	case "open":
		return d.Args[1], true
	case "openat":
		return d.Args[2], true
	case "creat":
		return unix.O_CREAT | unix.O_WRONLY, true
	case "openat2":
		return 0, true // they are in a structure
	}
	return 0, false
}

// writes reports whether the call changes its files.
func (d Denial) writes() bool {
	if flags, opens := d.openFlags(); opens {
		return flags&(unix.O_ACCMODE|unix.O_CREAT|unix.O_TRUNC) != unix.O_RDONLY
	}
	c := callOf(d.Syscall)
	return (c.Path != 0 || c.Dir != 0) && !slices.Contains(onlyFind, d.Syscall) &&
		!slices.Contains(readCalls, d.Syscall)
}

// onlyFind are calls about a file that change nothing in it, besides readCalls.
var onlyFind = slices.Concat(execCalls, []string{
	"access", "chroot", "faccessat", "faccessat2", "fanotify_mark", "fchdir", "fstatfs", "getxattrat", "ioctl",
	"listxattrat", "mount", "mount_setattr", "move_mount", "open_tree", "open_tree_attr", "pivot_root", "quotactl",
	"swapoff", "swapon", "umount2",
})

func always(Denial) bool { return true }

// finds reports whether the call is about a file with a name.
func (d Denial) finds() bool { return path.IsAbs(d.Path) }

// takesAddress reports whether the call is about an address of the network: not port 0, with which the kernel chooses.
func (d Denial) takesAddress() bool {
	return strings.Contains(d.Path, ":") && !path.IsAbs(d.Path) && !strings.HasSuffix(d.Path, ":0") ||
		strings.HasPrefix(d.Path, "@")
}

// opensDevice reports whether the call opens or makes a device.
func (d Denial) opensDevice() bool {
	_, opens := d.openFlags()
	return opens || strings.HasPrefix(d.Syscall, "mknod")
}

// mapsWritableCode reports whether the call wants memory that it can write and execute, or makes memory executable.
func (d Denial) mapsWritableCode() bool {
	return d.Syscall != "mmap" || d.Args[2]&unix.PROT_WRITE != 0
}

// setsPersonality reports whether the call does not only ask for the personality.
func (d Denial) setsPersonality() bool { return uint32(d.Args[0]) != ^uint32(0) && d.Args[0] != 0 }

// changesUser reports whether the call changes to an id that is not root's.
func (d Denial) changesUser() bool {
	return slices.ContainsFunc(ids(d), func(id string) bool { return id != "0" })
}
