package harness

import (
	"bufio"
	"cmp"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place"
)

// observation is what a running service looks like from outside: what every hardened trial is compared with the baseline by.
type observation struct {
	sockets   map[string]bool // "tcp 0.0.0.0:80", "unix /run/x.sock": where others reach it
	processes map[string]bool // names of executables, as the kernel has them in comm
	states    map[string]bool // of its units: "active (running)"
	busy      bool            // a process of it runs, or would if it got a processor
	// ages are those of the processes with a name and a parent, "worker of master", the oldest first.
	ages map[string][]time.Duration
	at   time.Time // when it began: on a busy machine it takes a while
}

// An observer looks at the services of a place.
type observer struct {
	place   *place.Place
	network string            // link to the place's network namespace
	shared  map[string]string // sockets of that, as listeners returns them
	own     map[string]map[string]string
	alike   map[string][]string // names of sockets that differ in their numbers, by what they have in common
}

func newObserver(where *place.Place) *observer {
	leader := fmt.Sprintf("/proc/%d", where.Leader())
	network, _ := os.Readlink(leader + "/ns/net")
	return &observer{place: where, network: network, shared: listeners(leader), own: map[string]map[string]string{}, alike: map[string][]string{}}
}

// observe looks at the processes in the control groups of a service.
func observe(where *place.Place, states ...state) observation {
	o := observation{sockets: map[string]bool{}, processes: map[string]bool{}, states: map[string]bool{}, ages: map[string][]time.Duration{}, at: time.Now()}
	by := newObserver(where)
	for _, s := range states {
		o.states[s.Active+" ("+s.Sub+")"] = true
		for _, pid := range processes(where, s) {
			by.add(&o, filepath.Join("/proc", pid))
		}
	}
	for _, ages := range o.ages {
		slices.SortFunc(ages, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	}
	return o
}

// processes lists the processes of a service by their ids here, not in the place.
func processes(where *place.Place, s state) []string {
	var pids []string
	if s.Cgroup == "" {
		return nil
	}
	filepath.WalkDir(filepath.Join(where.Cgroup(), s.Cgroup), func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == "cgroup.procs" {
			pids = append(pids, readLines(path)...)
		}
		return nil // what is gone is not observed
	})
	return pids
}

// mainPID is the id here of the main process of a service, 0 if it has none: its id in the place is one of those that the
// process has in nested namespaces, at the depth of the place's PID 1.
func mainPID(where *place.Place, s state) int {
	depth := len(nested(strconv.Itoa(where.Leader())))
	for _, pid := range processes(where, s) {
		ids := nested(pid)
		if len(ids) >= depth && ids[depth-1] == strconv.Itoa(int(s.PID)) {
			id, _ := strconv.Atoi(pid)
			return id
		}
	}
	return 0
}

// nested lists the ids of a process from this namespace inwards; NSpid in proc_pid_status(5).
func nested(pid string) []string {
	for _, line := range readLines("/proc/" + pid + "/status") {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return strings.Fields(ids)
		}
	}
	return nil
}

// numbered finds a word that holds a number, which tells workers, addresses and the like apart.
var numbered = regexp.MustCompile(`[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*`)

// nameless replaces what differs between two launches of one service: process ids, times, counters, random names.
func nameless(s string) string { return numbered.ReplaceAllString(s, "N") }

func (by *observer) add(o *observation, proc string) {
	comm := readLines(proc + "/comm")
	if len(comm) == 0 {
		return
	}
	o.processes[nameless(comm[0])] = true
	status := readStat(proc)
	o.busy = o.busy || status.runs
	name := nameless(comm[0])
	if parent := readLines(fmt.Sprintf("/proc/%d/comm", status.parent)); len(parent) > 0 {
		name += " of " + nameless(parent[0])
	}
	o.ages[name] = append(o.ages[name], status.age)
	fds, _ := os.ReadDir(proc + "/fd") // a process that ended has none
	for _, fd := range fds {
		target, _ := os.Readlink(filepath.Join(proc, "fd", fd.Name()))
		if !strings.HasPrefix(target, "socket:") {
			continue
		}
		for _, name := range by.names(proc, target) {
			o.sockets[name] = true
		}
	}
}

// A stat is what proc_pid_stat(5) tells of a process.
type stat struct {
	runs   bool // it is not asleep
	parent int
	age    time.Duration
}

func readStat(proc string) stat {
	const state, parent, start = 0, 1, 19 // after the name in parentheses
	const tick = time.Second / 100        // that of user space, on every architecture
	lines := append(readLines(proc+"/stat"), "")
	f := strings.Fields(lines[0][strings.LastIndex(lines[0], ")")+1:])
	var now unix.Timespec
	if len(f) <= start || unix.ClockGettime(unix.CLOCK_BOOTTIME, &now) != nil {
		return stat{}
	}
	begin, _ := strconv.ParseInt(f[start], 10, 64)
	id, _ := strconv.Atoi(f[parent])
	return stat{f[state] == "R" || f[state] == "D", id, time.Duration(now.Nano()) - time.Duration(begin)*tick}
}

// names says where others reach a process by one of its sockets, and who can; nothing if it waits for nobody. In a network
// namespace of its own, or behind a mount that others do not see, it is not where it would be without.
func (by *observer) names(proc, socket string) []string {
	name, ok := by.shared[socket]
	if !ok {
		network, _ := os.Readlink(proc + "/ns/net")
		if network == by.network || network == "" {
			return nil
		}
		if by.own[network] == nil {
			by.own[network] = listeners(proc)
		}
		if name, ok = by.own[network][socket]; !ok {
			return nil
		}
		if !local(name) {
			return []string{by.counted(abstract(name)+", in a network of its own", name)}
		}
	}
	if !local(name) {
		return []string{by.counted(abstract(name), name)}
	}
	kind, file, _ := strings.Cut(name, " ")
	common := kind + " " + nameless(file)
	if !by.visible(proc, file) {
		return []string{by.counted(common+", where only it can see", name)}
	}
	if who := by.clients(file); who != "" {
		return []string{by.counted(common, name), by.counted(common+", open to "+who, name)}
	}
	return []string{by.counted(common, name)}
}

// counted tells apart, by how many there are, sockets of which only the numbers in their names do. Datagrams are sent to one, and how
// many clients have one of their own is a matter of the moment.
func (by *observer) counted(common, name string) string {
	if !strings.HasPrefix(name, "unix ") {
		return common
	}
	i := slices.Index(by.alike[common], name)
	if i < 0 {
		i = len(by.alike[common])
		by.alike[common] = append(by.alike[common], name)
	}
	if i == 0 {
		return common
	}
	return fmt.Sprintf("%s (number %d)", common, i+1)
}

// clients says who but the owner may connect to the socket at a path, "" if nobody; unix(7).
func (by *observer) clients(file string) string {
	const group, others = 0o020, 0o002
	info, err := by.place.Root().Lstat(file)
	if err != nil {
		return "" // gone, or renamed since
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case mode&others != 0:
		return "everybody"
	case ok && mode&group != 0:
		return fmt.Sprintf("group %d", owner.Gid)
	}
	return ""
}

// abstract leaves the numbers out of the name of an abstract socket, unix(7); often they are process ids.
func abstract(name string) string {
	if strings.Contains(name, " @") {
		return nameless(name)
	}
	return name
}

// local reports whether a socket has its name in the file system, not in a network.
func local(name string) bool { return strings.Contains(name, " /") }

// visible reports whether a path leads to the same file for a process and for the place.
func (by *observer) visible(proc, path string) bool {
	theirs, err := os.Lstat(proc + "/root" + path)
	if err != nil {
		return true // gone, or renamed since: nothing that a namespace did
	}
	ours, err := by.place.Root().Lstat(path)
	return err == nil && os.SameFile(theirs, ours)
}

// listeners lists the sockets that wait for clients in the network namespace of a process, by the link that an open file
// has to them; proc(5), /proc/net.
func listeners(proc string) map[string]string {
	found := map[string]string{}
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		for _, line := range readLines(proc + "/net/" + protocol) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" && f[3] != "07" {
				continue // neither listening nor, for UDP, unconnected
			}
			address, ok := parseSocket(f[1])
			if kind := strings.TrimSuffix(protocol, "6"); ok && (kind == "tcp" || address.Port() < ephemeral) {
				found["socket:["+f[9]+"]"] = kind + " " + address.String()
			}
		}
	}
	for _, line := range readLines(proc + "/net/unix") {
		f := strings.Fields(line) // Num RefCount Protocol Flags Type St Inode Path
		if len(f) < 8 {
			continue
		}
		switch name := strings.Join(f[7:], " "); {
		case f[3] == "00010000": // __SO_ACCEPTCON
			found["socket:["+f[6]+"]"] = "unix " + name
		case f[4] == "0002": // SOCK_DGRAM
			found["socket:["+f[6]+"]"] = "unixgram " + name
		}
	}
	return found
}

// ephemeral is where ports begin that the kernel gives out. Of UDP they are mostly those of clients, which differ from trial
// to trial; who listens on TCP waits for somebody, and a port that differs between two launches without hardening is held
// against none.
const ephemeral = 32768

// parseSocket reads the address of /proc/net/tcp: 32-bit words in the byte order of the machine, then the port.
func parseSocket(field string) (netip.AddrPort, bool) {
	host, port, _ := strings.Cut(field, ":")
	raw, err := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || number == 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	address, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address, uint16(number)), ok
}

// both is what two observations have in common, with the ages of o.
func (o observation) both(other observation) observation {
	ages := map[string][]time.Duration{}
	for name, list := range o.ages {
		if stay := min(len(list), len(other.ages[name])); stay > 0 {
			ages[name] = list[:stay]
		}
	}
	return observation{common(o.sockets, other.sockets), common(o.processes, other.processes), o.states, o.busy, ages, o.at}
}

// lineage is the names of processes with those of their parents.
func (o observation) lineage() map[string]bool {
	names := map[string]bool{}
	for name := range o.ages {
		names[name] = true
	}
	return names
}

func (o observation) equal(other observation) bool {
	sameNumber := func(a, b []time.Duration) bool { return len(a) == len(b) }
	return maps.Equal(o.sockets, other.sockets) && maps.Equal(o.processes, other.processes) && maps.Equal(o.states, other.states) &&
		maps.EqualFunc(o.ages, other.ages, sameNumber)
}

func common(a, b map[string]bool) map[string]bool {
	in := map[string]bool{}
	for k := range a {
		if b[k] {
			in[k] = true
		}
	}
	return in
}

// readLines returns the lines of a file of /proc, none if it is gone.
func readLines(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	var lines []string
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}
