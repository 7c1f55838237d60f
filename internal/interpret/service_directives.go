package interpret

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"temper/analyzer/exposure"
)

var restarts = []string{"no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"}

// serviceTypes are the values of Type=, with the first version that has them.
var serviceTypes = map[string]int{
	"simple": 0, "exec": 240, "forking": 0, "oneshot": 0, "dbus": 0, "notify": 0, "notify-reload": 253, "idle": 0,
}

// serviceType is the value of Type=, or the type that systemd gives to a service without one.
func (r *reader) serviceType() string {
	kind := ""
	for _, v := range r.values("Type") {
		if since, ok := serviceTypes[v]; ok && r.Version >= since {
			kind = v
		}
	}
	switch {
	case kind != "":
		return kind
	case r.busName() != "":
		return "dbus"
	case r.commands["ExecStart"] > 0:
		return "simple"
	}
	return "oneshot"
}

// lastOf is the last value of a directive that is in the list.
func (r *reader) lastOf(name, def string, list []string) string {
	for _, v := range r.values(name) {
		if slices.Contains(list, v) {
			def = v
		}
	}
	return def
}

func (r *reader) killsTooFew(*exposure.Service) bool {
	mode := r.lastOf("KillMode", "control-group", []string{"control-group", "process", "mixed", "none"})
	return r.lastText("PAMName") != "" && mode != "control-group" && mode != "mixed"
}

// actions are the values of SuccessAction=, with the first version that has them.
var actions = map[string]int{
	"none": 0, "reboot": 0, "reboot-force": 0, "reboot-immediate": 0, "poweroff": 0, "poweroff-force": 0,
	"poweroff-immediate": 0, "exit": 0, "exit-force": 0, "soft-reboot": 254, "soft-reboot-force": 254, "kexec": 254,
	"kexec-force": 254, "halt": 254, "halt-force": 254, "halt-immediate": 254,
}

func (r *reader) actsOnSuccess() bool {
	action := "none"
	for _, v := range r.values("Unit.SuccessAction") {
		if since, ok := actions[v]; ok && r.Version >= since && (!r.user || slices.Contains(userActions, v)) {
			action = v
		}
	}
	return action != "none"
}

// userActions are the actions that a user manager can do.
var userActions = []string{"none", "exit", "exit-force"}

// isolates reports whether systemd would have to isolate more than one unit after a failure. systemd-analyze --offline
// ignores dependencies, so only a version before it refuses the unit.
func (r *reader) isolates() bool {
	mode := ""
	for _, v := range r.values("Unit.OnFailureJobMode") {
		mode = v
	}
	units := map[string]bool{}
	for _, v := range r.values("Unit.OnFailure") {
		for name := range strings.FieldsSeq(v) {
			units[name] = true
		}
	}
	return len(units) > 1 && (mode == "isolate" || r.lastBool("Unit.OnFailureIsolate", false))
}

// forcesRestart reports whether RestartForceExitStatus= lists an exit status.
func (r *reader) forcesRestart() bool {
	listed := false
	for _, v := range r.values("RestartForceExitStatus") {
		listed = v != "" && (listed || slices.ContainsFunc(strings.Fields(v), isStatus))
	}
	return listed
}

// isStatus reports whether a word is the number or name of an exit status, or a signal.
func isStatus(word string) bool {
	if n, err := strconv.ParseUint(word, 0, 8); err == nil {
		return n <= 255
	}
	name := strings.TrimPrefix(word, "SIG")
	return slices.Contains(exitNames, word) || unix.SignalNum("SIG"+name) != 0 || strings.HasPrefix(name, "RTM")
}

// exitNames are the names of exit statuses in systemd.exec(5).
var exitNames = strings.Fields(
	`SUCCESS FAILURE CHDIR NICE FDS EXEC MEMORY LIMITS OOM_ADJUST SIGNAL_MASK STDIN STDOUT CHROOT
	IOPRIO TIMERSLACK SECUREBITS SETSCHEDULER CPUAFFINITY GROUP USER CAPABILITIES CGROUP SETSID CONFIRM STDERR PAM
	NETWORK NAMESPACE NO_NEW_PRIVILEGES SECCOMP SELINUX_CONTEXT PERSONALITY APPARMOR ADDRESS_FAMILIES RUNTIME_DIRECTORY
	CHOWN SMACK_PROCESS_LABEL KEYRING STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY NUMA_POLICY
	CREDENTIALS BPF EXCEPTION INVALIDARGUMENT NOTIMPLEMENTED NOPERMISSION NOTINSTALLED NOTCONFIGURED NOTRUNNING USAGE
	DATAERR NOINPUT NOUSER NOHOST UNAVAILABLE SOFTWARE OSERR OSFILE CANTCREAT IOERR TEMPFAIL PROTOCOL NOPERM CONFIG`,
)

// busName is the last valid BusName=.
func (r *reader) busName() string {
	name := ""
	for _, v := range r.values("BusName") {
		if text, err := r.expand(v); err == nil && isBusName(text) {
			name = text
		}
	}
	return name
}

// isBusName reports whether a name is a valid well-known name of D-Bus.
func isBusName(name string) bool {
	parts := strings.Split(name, ".")
	for _, p := range parts {
		if p == "" || p[0] >= '0' && p[0] <= '9' || strings.Trim(p, busLetters) != "" {
			return false
		}
	}
	return len(parts) > 1 && len(name) <= 255
}

const busLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

// workingDirectory is a path, "~", or "".
func (r *reader) workingDirectory() string {
	dir := ""
	for _, v := range r.values("WorkingDirectory") {
		v, _ := strings.CutPrefix(v, "-")
		if p, err := r.absolute(v); err == nil {
			v = p
		} else if v != "" && v != "~" {
			continue
		}
		dir = v
	}
	return dir
}
