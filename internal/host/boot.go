package host

import "os"

// Booted reports whether systemd is the init system of this machine; sd_booted(3).
func Booted() bool {
	info, err := os.Lstat("/run/systemd/system")
	return err == nil && info.IsDir()
}
