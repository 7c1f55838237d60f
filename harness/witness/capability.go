package witness

import (
	"path"
	"slices"
	"strings"
)

// mappings are the files by which a user namespace gets its ids; user_namespaces(7).
var mappings = map[string][]string{"uid_map": {"CAP_SETUID", "CAP_SETFCAP"}, "gid_map": {"CAP_SETGID", "CAP_SETFCAP"}}

// Capabilities are those of which any would have made the call succeed, if it is a capability that was missing.
func (d Denial) Capabilities() []string {
	if d.Errno != "EPERM" {
		return nil
	}
	return capabilities(d)
}

// capabilities are those that would have made a call succeed that ended with EPERM.
func capabilities(d Denial) []string {
	const socketIoctls = 0x89 // linux/sockios.h
	switch {
	case d.Syscall == "write":
		return mappings[path.Base(d.Path)]
	case d.Syscall == "ioctl" && d.Args[1]>>8 == socketIoctls:
		return []string{"CAP_NET_ADMIN"}
	case d.Syscall == "ioctl":
		return []string{"CAP_SYS_ADMIN", "CAP_SYS_RAWIO"}
	}
	return asked[d.Syscall]
}

// accessCapabilities are those that would have made a call succeed that ended with EACCES. Where CAP_DAC_OVERRIDE does not help with a
// file, CAP_DAC_READ_SEARCH does not either.
func accessCapabilities(d Denial) []string {
	switch {
	case d.Syscall == "bind" && !strings.HasPrefix(d.Path, "/"):
		return []string{"CAP_NET_BIND_SERVICE"}
	case d.Path != "":
		return []string{"CAP_DAC_OVERRIDE"}
	case d.Syscall == "setpriority":
		return []string{"CAP_SYS_NICE"}
	}
	return nil
}

func invert(needs map[string][]string) map[string][]string {
	asked := map[string][]string{}
	for capability, calls := range needs {
		for _, call := range calls {
			asked[call] = append(asked[call], capability)
		}
	}
	for _, list := range asked {
		slices.Sort(list)
	}
	return asked
}
