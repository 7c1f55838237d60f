package harness

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/generator"
	"temper/internal/unit"
)

// Names of the drop-ins of a trial: what systemd reads before and after temper's own, which has the name it has at boot.
const (
	earlyDropin = "00-service.conf"
	lateDropin  = "99-service.conf"
)

// kept are the settings of [Unit] that a trial takes over: what must be there or come first. All others act on other units
// or on the machine (OnFailure=, Conflicts=, FailureAction= ...), or would keep the trial from starting (Condition...=).
var kept = []string{
	"Documentation", "After", "Requires", "Requisite", "Wants", "BindsTo", "DefaultDependencies", "RequiresMountsFor",
	"WantsMountsFor", "JoinsNamespaceOf", "IgnoreOnIsolate",
}

// dropped are the settings of [Service] that a trial leaves out: it is started once, by itself, where it can be found.
var dropped = []string{
	"Restart", "RestartForceExitStatus", "RestartSec", "RestartSteps", "RestartMaxDelaySec", "RestartMode", "Slice", "Sockets",
	"StartLimitInterval", "StartLimitBurst", "StartLimitAction", "FailureAction", "RebootArgument",
}

// trialEnd bounds a trial whatever the unit says.
const trialEnd = "\n[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestart=no\n"

// clone returns the drop-ins, by base name, that make a transient unit run as u does: its text in the order in which systemd
// reads it, its own names filled in. Drop-ins for all services are left out, since systemd applies them to the trial too.
func clone(u *unit.Unit) map[string]string {
	var early, late strings.Builder
	early.WriteString("# " + u.Fragment + " and its drop-ins, for a trial\n")
	section := map[*strings.Builder]string{}
	for _, a := range u.Without(generator.Dropin).Assignments {
		file := path.Base(a.Pos.Path)
		if !cloned(a) || strings.HasSuffix(path.Dir(a.Pos.Path), "/service.d") {
			continue
		}
		b := &early
		if a.Pos.Path != u.Fragment && file > generator.Dropin {
			b = &late
		}
		if section[b] != a.Section {
			section[b] = a.Section
			fmt.Fprintf(b, "\n[%s]\n", a.Section)
		}
		fmt.Fprintf(b, "%s=%s\n", a.Name, u.ExpandNames(a.Value))
	}
	late.WriteString(trialEnd)
	return map[string]string{earlyDropin: early.String(), lateDropin: late.String()}
}

func cloned(a unit.Assignment) bool {
	switch a.Section {
	case "Unit":
		return slices.Contains(kept, a.Name)
	case "Service":
		return !slices.Contains(dropped, a.Name)
	}
	return false
}
