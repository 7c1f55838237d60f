package kernelstate

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// packetFilter returns the number of changes that nftables has seen in the network of the calling thread, or "" where
// the kernel has no nftables.
func packetFilter() string {
	if !nftablesLoaded() {
		return ""
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	const header, family = unix.SizeofNlMsghdr, 4 // nfgenmsg of linux/netfilter/nfnetlink.h
	ask := make([]byte, header+family)
	binary.NativeEndian.PutUint32(ask, uint32(len(ask)))
	binary.NativeEndian.PutUint16(ask[4:], unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN)
	binary.NativeEndian.PutUint16(ask[6:], unix.NLM_F_REQUEST)
	answer := make([]byte, os.Getpagesize())
	err = unix.Sendto(fd, ask, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	n := 0
	if err == nil {
		n, _, err = unix.Recvfrom(fd, answer, unix.MSG_DONTWAIT) // netlink answers before the call is over
	}
	if err != nil || n < header+family+unix.SizeofNlAttr+4 ||
		binary.NativeEndian.Uint16(answer[4:]) == unix.NLMSG_ERROR {
		return ""
	}
	return fmt.Sprint(binary.BigEndian.Uint32(answer[header+family+unix.SizeofNlAttr:])) // NFTA_GEN_ID comes first
}

// nftablesLoaded reports whether the kernel has nftables. To ask for its generation would load the module, which would
// then stay loaded.
func nftablesLoaded() bool {
	if _, err := os.Stat("/proc/modules"); err != nil {
		return true // this kernel has no modules: asking loads nothing
	}
	if _, err := os.Stat("/sys/module/nf_tables"); err == nil {
		return true
	}
	var names unix.Utsname
	_ = unix.Uname(&names)
	builtin, _ := os.ReadFile("/lib/modules/" + unix.ByteSliceToString(names.Release[:]) + "/modules.builtin")
	return strings.Contains(string(builtin), "/nf_tables.ko")
}
