package harness

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"temper/harness/place"
)

// observation is what a running service looks like from outside: what every hardened trial is compared with the baseline by.
type observation struct {
	sockets   map[string]bool // "tcp 0.0.0.0:80", "unix /run/x.sock"
	processes map[string]bool // names of executables, as the kernel has them in comm
}

// observe looks at the processes in the control group of a service.
func observe(where *place.Place, s state) observation {
	o := observation{map[string]bool{}, map[string]bool{}}
	for _, pid := range processes(where, s) {
		o.add(pid)
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

func (o observation) add(pid string) {
	proc := filepath.Join("/proc", pid)
	comm := readLines(proc + "/comm")
	if len(comm) == 0 {
		return
	}
	o.processes[comm[0]] = true
	listening := listeners(proc)
	fds, _ := os.ReadDir(proc + "/fd") // a process that ended has none
	for _, fd := range fds {
		target, _ := os.Readlink(filepath.Join(proc, "fd", fd.Name()))
		if name, ok := listening[target]; ok {
			o.sockets[name] = true
		}
	}
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
			if address, ok := parseSocket(f[1]); ok {
				found["socket:["+f[9]+"]"] = strings.TrimSuffix(protocol, "6") + " " + address
			}
		}
	}
	for _, line := range readLines(proc + "/net/unix") {
		if f := strings.Fields(line); len(f) == 8 && f[3] == "00010000" {
			found["socket:["+f[6]+"]"] = "unix " + f[7]
		}
	}
	return found
}

// ephemeral is where ports begin that the kernel gives out: they differ from trial to trial.
const ephemeral = 32768

// parseSocket reads the address of /proc/net/tcp: 32-bit words in the byte order of the machine, then the port.
func parseSocket(field string) (string, bool) {
	host, port, _ := strings.Cut(field, ":")
	raw, err := hex.DecodeString(host)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || number == 0 || number >= ephemeral {
		return "", false
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	address, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address, uint16(number)).String(), ok
}

// lost says what a hardened service lacks that the baseline has, sorted.
func (o observation) lost(baseline observation) []string {
	var missing []string
	for _, socket := range slices.Sorted(maps.Keys(baseline.sockets)) {
		if !o.sockets[socket] {
			missing = append(missing, fmt.Sprintf("does not listen on %s, as it does without hardening", socket))
		}
	}
	for _, process := range slices.Sorted(maps.Keys(baseline.processes)) {
		if !o.processes[process] {
			missing = append(missing, fmt.Sprintf("does not run %s, as it does without hardening", process))
		}
	}
	return missing
}

// both is what two observations have in common: what comes and goes is no part of what a service is.
func (o observation) both(other observation) observation {
	common := func(a, b map[string]bool) map[string]bool {
		return maps.Collect(func(yield func(string, bool) bool) {
			for k := range a {
				if b[k] && !yield(k, true) {
					return
				}
			}
		})
	}
	return observation{common(o.sockets, other.sockets), common(o.processes, other.processes)}
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
