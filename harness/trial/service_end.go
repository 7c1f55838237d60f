package trial

import (
	"fmt"

	"golang.org/x/sys/unix"

	"temper/internal/systemd"
)

// failed reports whether a service has ended with a failure.
func failed(s systemd.Service) bool {
	return s.Result != "" && s.Result != "success" || s.Active == "failed"
}

// ended says in words how the main process of a service ended.
func ended(s systemd.Service) string {
	switch {
	case s.Result == "oom-kill":
		return "the kernel had no memory left for it and killed it, result oom-kill"
	case s.Code == 0:
		return fmt.Sprintf("%s (%s), result %s", s.Active, s.Sub, s.Result)
	case s.Code != systemd.Exited:
		return fmt.Sprintf("killed by %s, result %s", unix.SignalName(unix.Signal(s.Status)), s.Result)
	case ExitName(s.Status) != "":
		return fmt.Sprintf("status %d/%s, result %s", s.Status, ExitName(s.Status), s.Result)
	}
	return fmt.Sprintf("status %d, result %s", s.Status, s.Result)
}

// ExitName is the name of an exit status by which systemd says that it could not set up a process; empty for any other
// status; systemd.exec(5), "Process Exit Codes".
func ExitName(status int32) string { return exitNames[status] }

var exitNames = map[int32]string{
	200: "CHDIR", 203: "EXEC", 205: "LIMITS", 210: "CHROOT", 213: "SECUREBITS", 214: "SETSCHEDULER", 216: "GROUP",
	217: "USER", 218: "CAPABILITIES", 219: "CGROUP", 225: "NETWORK", 226: "NAMESPACE", 227: "NO_NEW_PRIVILEGES",
	228: "SECCOMP", 229: "SELINUX_CONTEXT", 230: "PERSONALITY", 231: "APPARMOR_PROFILE", 232: "ADDRESS_FAMILIES",
	233: "RUNTIME_DIRECTORY", 235: "CHOWN", 237: "KEYRING", 238: "STATE_DIRECTORY", 239: "CACHE_DIRECTORY",
	240: "LOGS_DIRECTORY", 241: "CONFIGURATION_DIRECTORY", 243: "CREDENTIALS", 244: "BPF",
}
