package witness

import (
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"

	"temper/internal/directive"
	"temper/internal/refusal"
	"temper/internal/syscalls"
	"temper/internal/testroot"
	"temper/internal/values"
)

func TestCallsAreSortedUniqueAndReal(t *testing.T) {
	if !slices.IsSortedFunc(calls, func(a, b call) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("calls are not sorted by name")
	}
	for i, c := range calls {
		if i > 0 && calls[i-1].Name == c.Name {
			t.Errorf("%s has two rows", c.Name)
		}
		if number(c.Name, "amd64") < 0 {
			t.Errorf("%s is no call of x86-64, which has them all", c.Name)
		}
		args := append([]int{c.Path, c.Dir, c.To, c.ToDir, c.Data, c.Size}, c.Scalars...)
		if slices.Max(args) > 6 || slices.Min(args) < 0 {
			t.Errorf("%s: an argument is not one of the six", c.Name)
		}
		for _, s := range c.Scalars {
			if slices.Contains([]int{c.Path, c.Dir, c.To, c.ToDir, c.Data}, s) {
				t.Errorf("%s: argument %d is a plain number and an address or descriptor too", c.Name, s)
			}
		}
		if c.Path != 0 && c.Data != 0 {
			t.Errorf("%s: a path and a structure share one field of an event", c.Name)
		}
	}
}

// The names are those that systemd uses in SystemCallFilter=.
func TestNamesAreThoseOfSystemd(t *testing.T) {
	for arch, byNumber := range callNames {
		for n, name := range byNumber {
			if !syscalls.Known(name) {
				t.Errorf("%s: call %d: systemd knows no %q", arch, n, name)
			}
			if n >= maxNumber {
				t.Errorf("%s: %s has number %d, want less than %d", arch, name, n, maxNumber)
			}
		}
		for _, name := range []string{"openat", "clone3", "socket", "renameat2", "newfstatat"} {
			if number(name, arch) < 0 {
				t.Errorf("%s has no %s", arch, name)
			}
		}
	}
}

func number(name, arch string) int {
	for n, s := range callNames[arch] {
		if s == name {
			return int(n)
		}
	}
	return -1
}

func TestRulesSpeakOfRealCalls(t *testing.T) {
	for _, r := range rules {
		for _, c := range r.Calls {
			if number(c, "amd64") < 0 {
				t.Errorf("%s: %s is no call", r.Kind, c)
			}
		}
		for _, e := range r.Errnos {
			if !slices.ContainsFunc(recorded(r.Calls), func(n unix.Errno) bool { return unix.ErrnoName(n) == e }) {
				t.Errorf("%s: %s is never recorded", r.Kind, e)
			}
		}
	}
	for capability, list := range needs {
		if !slices.Contains(values.CapabilityNames(), capability) {
			t.Errorf("there is no %s", capability)
		}
		for _, c := range list {
			if number(c, "amd64") < 0 {
				t.Errorf("%s: %s is no call", capability, c)
			}
		}
	}
	for _, name := range families {
		if !slices.Contains(values.AddressFamilies(), name) && name != "AF_UNSPEC" {
			t.Errorf("systemd knows no %s", name)
		}
	}
}

// A refusal that is in the table of directives but that no rule of the witness sees would blame no directive. The same
// holds the other way round.
func TestRulesAndTableAgree(t *testing.T) {
	seen, reported := map[refusal.Kind]bool{}, map[refusal.Kind]bool{}
	seen[refusal.FileMode] = true // by the comparison with launches without hardening
	for _, r := range rules {
		seen[r.Kind] = true
	}
	for _, d := range directive.All() {
		for _, kind := range d.Refuses {
			reported[kind] = true
			if !seen[kind] {
				t.Errorf("%s= refuses %s, and no rule sees that", d.Name, kind)
			}
		}
		if d.Lifts != "" && !seen[d.Lifts] {
			t.Errorf("%s= lifts %s, and no rule sees that", d.Name, d.Lifts)
		}
	}
	for kind := range seen {
		if !reported[kind] {
			t.Errorf("a rule sees %s, and no directive refuses that", kind)
		}
	}
}

// recorded are all errors with which calls are recorded.
func recorded(names []string) []unix.Errno {
	all := slices.Clone(usual)
	for _, n := range names {
		all = append(all, callOf(n).Errnos...)
	}
	return all
}

// These rows of arm64 are written out from struct pt_regs of arch/arm64/include/asm/ptrace.h.
func TestLayoutOfArm64(t *testing.T) {
	var r struct {
		regs          [31]uint64
		sp, pc, state uint64
		origX0        uint64
		syscallno     int32
	}
	l := layouts["arm64"]
	want := []uintptr{unsafe.Offsetof(r.origX0)}
	for i := 1; i < 6; i++ {
		want = append(want, unsafe.Offsetof(r.regs)+8*uintptr(i))
	}
	want = append(want, unsafe.Offsetof(r.syscallno), unsafe.Offsetof(r.state))
	for i, got := range append(l.Args[:], l.Number, l.Mode) {
		if uintptr(got) != want[i] {
			t.Errorf("register %d is at %d, want %d", i, got, want[i])
		}
	}
}

func TestWant(t *testing.T) {
	row := want(layouts["arm64"], callOf("connect"))
	for errno, recorded := range map[unix.Errno]bool{
		unix.EPERM: true, unix.ENETUNREACH: true, unix.ECONNREFUSED: true, unix.EINPROGRESS: false, unix.EAGAIN: false,
		unix.EINTR: false,
	} {
		bits := order.Uint64(row[wantLow+8*int(errno/64):])
		if got := bits>>(errno%64)&1 == 1; got != recorded {
			t.Errorf("%v of connect: recorded is %v, want %v", errno, got, recorded)
		}
	}
	if got := []uint32{
		order.Uint32(row[wantPath:]), order.Uint32(row[wantTo:]), order.Uint32(row[wantData:]),
		order.Uint32(row[wantSize:]),
	}; !slices.Equal(
		got,
		[]uint32{0, 0, 8, 16},
	) {
		t.Errorf("pointers of connect are %v, want x1 and x2", got)
	}
}

// The kernel must load the programs of every architecture: for its verifier the layouts are only numbers.
func TestVerifierTakesEveryLayout(t *testing.T) {
	testroot.NeedFor(t, "load eBPF programs")
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup2"))
	if err != nil || len(mounts) == 0 {
		t.Fatalf("no cgroup2 file system is mounted (%v)", err)
	}
	for arch, l := range layouts {
		cg, err := openCgroup(mounts[0].Mountpoint + "/temper-nothing")
		if err != nil {
			t.Fatal(err)
		}
		w := programs{cgroup: cg, closers: []func() error{cg.Close}}
		_, m, err := w.makeMaps(l, 1<<16)
		if err != nil {
			t.Fatal(err)
		}
		signal := signalProgram(m, underCgroup(m), child(m))
		// These maps have the sizes that the programs want of those that they have of their own.
		m.Siblings, m.Granted, m.Used = m.Entered, m.Entered, usedMap(t)
		for _, spec := range []*ebpf.ProgramSpec{
			enterProgram(m), exitProgram(l, m), signal,
			useEnterProgram(l, m), useExitProgram(l, m), useCapabilityProgram(m),
		} {
			p, err := ebpf.NewProgram(spec)
			if err != nil {
				t.Errorf("%s: %s: %+v", arch, spec.Name, err)
				continue
			}
			p.Close()
		}
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}
}

// usedMap makes a map of what was used.
func usedMap(t *testing.T) int {
	t.Helper()
	m, err := ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.LRUHash, KeySize: usedBytes, ValueSize: usedValueBytes, MaxEntries: 16,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m.FD()
}
