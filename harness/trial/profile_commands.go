package trial

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/harness/confine"
	"temper/harness/place"
	"temper/harness/proc"
	"temper/internal/plain"
	"temper/internal/quote"
	"temper/internal/systemd"
	"temper/profiles"
)

// SetUp runs the setup commands of a profile in the place. Those for a container never run on a machine that stays.
func SetUp(ctx context.Context, where *place.Place, p *profiles.Profile, unit string) error {
	lines := p.Prove.Setup
	if where.Kind() == "container" {
		lines = slices.Concat(lines, p.Prove.ContainerSetup)
	}
	for _, line := range lines {
		r, err := where.Run(ctx, place.Command{
			Args: []string{"/bin/sh", "-c", line}, Env: Variables(where, unit, "setup"), Timeout: p.Prove.Timeout,
		})
		if err != nil {
			return fmt.Errorf("setup %q: %w", line, err)
		}
		if r.Status != 0 {
			return quote.With(fmt.Errorf("setup %q: exit status %d", line, r.Status),
				": "+plain.Line(strings.TrimSpace(r.Stderr)))
		}
	}
	return nil
}

// Variables are environment variables that tell the commands of a profile their place, unit and phase.
func Variables(where *place.Place, unit, phase string) []string {
	return []string{"TEMPER_PLACE=" + where.Kind(), "TEMPER_UNIT=" + unit, "TEMPER_PHASE=" + phase}
}

// managed are the variables that systemd itself sets for a service. They describe one process, so the commands of
// checks do not get them. "Environment Variables Set or Propagated by the Service Manager" in systemd.exec(5).
var managed = []string{
	"PATH", "LANG", "USER", "LOGNAME", "HOME", "SHELL", "TERM", "COLORTERM", "NO_COLOR", "INVOCATION_ID", "XDG_*",
	"*_DIRECTORY", "MAINPID", "MANAGERPID", "MANAGERPIDFDID", "LISTEN_*", "NOTIFY_SOCKET", "WATCHDOG_*",
	"SYSTEMD_*", "JOURNAL_STREAM", "LOG_NAMESPACE", "SERVICE_RESULT", "EXIT_*", "MONITOR_*", "PIDFILE", "REMOTE_*",
	"TRIGGER_*", "MEMORY_PRESSURE_*", "CPU_PRESSURE_*", "IO_PRESSURE_*", "FDSTORE", "DEBUG_INVOCATION",
}

// variable matches an entry of an environment. A process may have overwritten its environment with a title for ps(1).
var variable = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=`)

// environment returns the variables that Environment= and EnvironmentFile= give a service, "NAME=value" each. It reads
// them from the main process.
func environment(where *place.Place, states []systemd.Service) ([]string, error) {
	for _, s := range states {
		pid := MainProcess(where, s)
		if main := proc.Machine.Process(pid); pid != 0 && confine.Executed(main) {
			all, err := main.Environ()
			return ownVariables(all), err
		}
	}
	return nil, nil
}

func ownVariables(environ []string) []string {
	var own []string
	for _, entry := range environ {
		m := variable.FindStringSubmatch(entry)
		if m != nil && !isManaged(m[1]) {
			own = append(own, entry)
		}
	}
	return own
}

func isManaged(name string) bool {
	return slices.ContainsFunc(managed, func(pattern string) bool {
		ok, _ := path.Match(pattern, name) // the patterns are valid
		return ok
	})
}
