package attach

import (
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/systemd"
)

// pseudo are the devices that DevicePolicy=closed leaves, and what may be done with them; cgroup.c in systemd. The last
// two stand where InaccessiblePaths= closes a device.
var pseudo = [][2]string{
	{"/dev/null", "rwm"},
	{"/dev/zero", "rwm"},
	{"/dev/full", "rwm"},
	{"/dev/random", "rwm"},
	{"/dev/urandom", "rwm"},
	{"/dev/tty", "rwm"},
	{"/dev/ptmx", "rwm"},
	{"char-pts", "rw"},
	{"/run/systemd/inaccessible/chr", "rwm"},
	{"/run/systemd/inaccessible/blk", "rwm"},
}

// readDevices reads DevicePolicy and DeviceAllow; only is false where every device may be opened.
func readDevices(p systemd.Properties, root host.Root) (list []Device, only bool) {
	type entry struct{ Name, Access string }
	allowed := systemd.Get[[]entry](p, "DeviceAllow")
	switch systemd.Get[string](p, "DevicePolicy") {
	case "strict":
	case "closed":
		list = pseudoDevices(root)
	case "auto":
		if len(allowed) == 0 {
			return nil, false
		}
		list = pseudoDevices(root)
	default: // a systemd that says nothing
		return nil, false
	}
	for _, e := range allowed {
		list = append(list, devicesOf(root, e.Name, e.Access)...)
	}
	return list, true
}

func pseudoDevices(root host.Root) []Device {
	var list []Device
	for _, d := range pseudo {
		list = append(list, devicesOf(root, d[0], d[1])...)
	}
	return list
}

// devicesOf are the devices of a name in DeviceAllow=: a path, or a pattern of drivers of character or block devices.
// systemd goes on without those that are not there.
func devicesOf(root host.Root, name, access string) []Device {
	may := Device{
		Read: strings.Contains(access, "r"), Write: strings.Contains(access, "w"),
		Create: strings.Contains(access, "m"),
	}
	if pattern, ok := strings.CutPrefix(name, "char-"); ok {
		return drivers(pattern, may)
	}
	if pattern, ok := strings.CutPrefix(name, "block-"); ok {
		may.Block = true
		return drivers(pattern, may)
	}
	info, err := root.Stat(name)
	if err != nil || info.Mode()&os.ModeDevice == 0 {
		return nil
	}
	number := uint64(info.Sys().(*syscall.Stat_t).Rdev)
	may.Block = info.Mode()&os.ModeCharDevice == 0
	may.Major, may.Minor = unix.Major(number), unix.Minor(number)
	return []Device{may}
}

// drivers are all devices of the drivers that match a pattern, by the list in /proc/devices.
func drivers(pattern string, may Device) []Device {
	data, _ := os.ReadFile("/proc/devices")
	return driversIn(string(data), pattern, may)
}

// matches is fnmatch(3) without flags: a slash is a character as any other.
func matches(pattern, driver string) bool {
	ok, _ := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(driver, "/", "\x00"))
	return ok
}

func driversIn(text, pattern string, may Device) []Device {
	var list []Device
	block := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch line {
		case "Character devices:":
			block = false
		case "Block devices:":
			block = true
		}
		number, driver, _ := strings.Cut(line, " ")
		major, err := strconv.ParseUint(number, 10, 32)
		if err == nil && block == may.Block && matches(pattern, driver) {
			may.Major, may.AllMinor = uint32(major), true
			list = append(list, may)
		}
	}
	return list
}
