package harness

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// exitNames are systemd's own exit statuses for sandboxing that could not be set up; systemd.exec(5), "Process Exit Codes".
var exitNames = map[int32]string{
	200: "CHDIR", 203: "EXEC", 205: "LIMITS", 210: "CHROOT", 213: "SECUREBITS", 214: "SETSCHEDULER", 216: "GROUP", 217: "USER",
	218: "CAPABILITIES", 219: "CGROUP", 225: "NETWORK", 226: "NAMESPACE", 227: "NO_NEW_PRIVILEGES", 228: "SECCOMP",
	229: "SELINUX_CONTEXT", 230: "PERSONALITY", 231: "APPARMOR_PROFILE", 232: "ADDRESS_FAMILIES", 233: "RUNTIME_DIRECTORY",
	235: "CHOWN", 237: "KEYRING", 238: "STATE_DIRECTORY", 239: "CACHE_DIRECTORY", 240: "LOGS_DIRECTORY",
	241: "CONFIGURATION_DIRECTORY", 243: "CREDENTIALS", 244: "BPF",
}

// How a process ended; waitid(2).
const (
	exited = 1 // CLD_EXITED
	killed = 2 // CLD_KILLED
)

// ended says in words how the main process of a unit ended.
func (s state) ended() string {
	switch {
	case s.Result == "oom-kill":
		return "the kernel had no memory left for it and killed it, result oom-kill"
	case s.Code == 0:
		return fmt.Sprintf("%s (%s), result %s", s.Active, s.Sub, s.Result)
	case s.Code != exited:
		return fmt.Sprintf("killed by %s, result %s", unix.SignalName(unix.Signal(s.Status)), s.Result)
	case exitNames[s.Status] != "":
		return fmt.Sprintf("status %d/%s, result %s", s.Status, exitNames[s.Status], s.Result)
	}
	return fmt.Sprintf("status %d, result %s", s.Status, s.Result)
}

// failed reports whether the service has ended, and not well.
func (s state) failed() bool {
	return s.Result != "" && s.Result != "success" || s.Active == "failed"
}

func splitLines(s string) []string {
	s = strings.TrimRight(s, "\n")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}
