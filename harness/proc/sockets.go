package proc

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Sockets lists the open sockets of the process, each in the form of the link to it: "socket:[123]".
func (p Process) Sockets() []string {
	var sockets []string
	fds, _ := os.ReadDir(filepath.Join(string(p), "fd"))
	for _, fd := range fds {
		if target := p.Link("fd/" + fd.Name()); strings.HasPrefix(target, "socket:") {
			sockets = append(sockets, target)
		}
	}
	return sockets
}

// Listeners returns the sockets that wait for clients in the network namespace of the process. A key has the form of
// [Process.Sockets], a value is protocol and address: "tcp 0.0.0.0:80", "unix /run/x", "unix @x", "unixgram /run/x".
func (p Process) Listeners() map[string]string {
	found := map[string]string{}
	for _, protocol := range []string{"tcp", "tcp6", "udp", "udp6"} {
		for _, line := range p.Lines("net/" + protocol) {
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
	for _, line := range p.Lines("net/unix") {
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

// ephemeral is the first port that the kernel chooses by itself. A UDP socket on such a port mostly belongs to a
// client. A TCP socket that listens belongs to a server, whatever its port.
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
