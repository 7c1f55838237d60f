package recorder

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"temper/harness/proc"
	"temper/harness/witness"
	"temper/internal/refusal"
)

// held lists what the processes of a control group hold already: it was done before anybody looked.
func held(cgroup string, keep witness.Keep) []witness.Use {
	var list []witness.Use
	seen := map[witness.Restriction]bool{}
	for _, pid := range proc.InCgroup(cgroup) {
		p := proc.Machine.Process(pid)
		name := p.Comm()
		if name == "" || strings.HasPrefix(name, "(") {
			continue // it has ended, or is still systemd
		}
		found := append(openFiles(p), openSockets(p)...)
		found = append(found, writableCode(p)...)
		found = append(found, realtime(pid)...)
		for _, r := range found {
			if !seen[r] && keep(r, false) {
				seen[r] = true
				list = append(list, witness.Use{Restriction: r, Program: name, Count: 1})
			}
		}
	}
	return list
}

// openFiles lists the files that a process has open for writing, and its devices.
func openFiles(p proc.Process) []witness.Restriction {
	var list []witness.Restriction
	fds, _ := os.ReadDir(filepath.Join(string(p), "fd")) // of a process that has ended there are none
	for _, fd := range fds {
		file := p.Link("fd/" + fd.Name())
		if !strings.HasPrefix(file, "/") || strings.HasSuffix(file, " (deleted)") {
			continue
		}
		if strings.HasPrefix(file, "/dev/") {
			list = append(list, witness.Restriction{Kind: refusal.Device, Subject: file})
		}
		if isWritable(p.Lines("fdinfo/" + fd.Name())) {
			list = append(list, witness.Restriction{Kind: refusal.PathReadOnly, Subject: file})
		}
		list = append(list, witness.Restriction{Kind: refusal.PathHidden, Subject: file})
	}
	return list
}

// isWritable reports whether a descriptor can write; proc_pid_fdinfo(5).
func isWritable(fdinfo []string) bool {
	for _, line := range fdinfo {
		if value, ok := strings.CutPrefix(line, "flags:"); ok {
			flags, err := strconv.ParseUint(strings.TrimSpace(value), 8, 64)
			return err == nil && flags&unix.O_PATH == 0 && flags&unix.O_ACCMODE != unix.O_RDONLY
		}
	}
	return false
}

// familyFiles are the files in /proc/PID/net that list the sockets of a family, and the column with the inode.
var familyFiles = []struct {
	file, family string
	inode        int
}{
	{"tcp", "AF_INET", 9},
	{"udp", "AF_INET", 9},
	{"raw", "AF_INET", 9},
	{"tcp6", "AF_INET6", 9},
	{"udp6", "AF_INET6", 9},
	{"raw6", "AF_INET6", 9},
	{"unix", "AF_UNIX", 6},
	{"netlink", "AF_NETLINK", 9},
	{"packet", "AF_PACKET", 8},
}

// openSockets lists the families of the sockets of a process, and where it listens.
func openSockets(p proc.Process) []witness.Restriction {
	open := map[string]bool{}
	for _, socket := range p.Sockets() {
		open[socket] = true
	}
	if len(open) == 0 {
		return nil
	}
	var list []witness.Restriction
	for _, f := range familyFiles {
		for _, line := range p.Lines("net/" + f.file) {
			if fields := strings.Fields(line); len(fields) > f.inode && open["socket:["+fields[f.inode]+"]"] {
				list = append(list, witness.Restriction{Kind: refusal.Family, Subject: f.family})
				break
			}
		}
	}
	for socket, where := range p.Listeners() {
		protocol, address, _ := strings.Cut(where, " ")
		if open[socket] && !strings.HasPrefix(protocol, "unix") {
			list = append(list, witness.Restriction{Kind: refusal.SocketBind, Subject: address})
		}
	}
	return list
}

// writableCode finds memory that a process can write and execute; proc_pid_maps(5).
func writableCode(p proc.Process) []witness.Restriction {
	for _, line := range p.Lines("maps") {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1][1:], "wx") {
			return []witness.Restriction{{Kind: refusal.WriteExecute, Subject: "mmap"}}
		}
	}
	return nil
}

// realtime finds the real-time scheduling of a process.
func realtime(pid int) []witness.Restriction {
	attr, err := unix.SchedGetAttr(pid, 0)
	if err != nil {
		return nil
	}
	if name := witness.Policy(attr.Policy); name != "" {
		return []witness.Restriction{{Kind: refusal.Realtime, Subject: name}}
	}
	return nil
}
