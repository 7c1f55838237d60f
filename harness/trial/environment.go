package trial

import (
	"path"
	"regexp"
	"slices"

	"temper/harness/confine"
	"temper/harness/place"
	"temper/harness/proc"
	"temper/internal/systemd"
)

// managed are the variables that systemd sets for a service by itself: they are about one process, and not for those of a check.
// "Environment Variables Set or Propagated by the Service Manager" in systemd.exec(5).
var managed = []string{
	"PATH", "LANG", "USER", "LOGNAME", "HOME", "SHELL", "TERM", "COLORTERM", "NO_COLOR", "INVOCATION_ID", "XDG_*", "*_DIRECTORY", "MAINPID",
	"MANAGERPID", "MANAGERPIDFDID", "LISTEN_*", "NOTIFY_SOCKET", "WATCHDOG_*", "SYSTEMD_*", "JOURNAL_STREAM", "LOG_NAMESPACE",
	"SERVICE_RESULT", "EXIT_*", "MONITOR_*", "PIDFILE", "REMOTE_*", "TRIGGER_*", "MEMORY_PRESSURE_*", "CPU_PRESSURE_*", "IO_PRESSURE_*", "FDSTORE",
	"DEBUG_INVOCATION",
}

// variable is an entry of an environment; a process that shows a title writes over its own.
var variable = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

// environment is what Environment= and EnvironmentFile= give a service, "NAME=value" each: its main process has it, whatever files it
// comes from.
func environment(where *place.Place, states []systemd.Service) []string {
	for _, s := range states {
		pid := MainProcess(where, s)
		if main := proc.Machine.Process(pid); pid != 0 && confine.Executed(main) {
			return ownVariables(main.Environ())
		}
	}
	return nil
}

func ownVariables(environ []string) []string {
	var own []string
	for _, entry := range environ {
		m := variable.FindStringSubmatch(entry)
		if m != nil && !slices.ContainsFunc(managed, func(pattern string) bool { ok, _ := path.Match(pattern, m[1]); return ok }) {
			own = append(own, entry)
		}
	}
	return own
}
