package harness

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/harness/confine"
	"temper/harness/observe"
	"temper/harness/place"
	"temper/harness/proc"
	"temper/harness/trial"
)

// ends lists how the commands of the unit and its main process ended.
func (s state) ends() []observe.End {
	var ends []observe.End
	for _, c := range s.Commands {
		ends = append(ends, observe.End{Name: c.Name, Code: c.Code, Status: c.Status})
	}
	return append(ends, observe.End{Name: observe.MainProcess, Code: s.Code, Status: s.Status})
}

// processes lists the processes of a service by their ids here, not in the place.
func processes(where *place.Place, s state) []int {
	if s.Cgroup == "" {
		return nil
	}
	return proc.InCgroup(filepath.Join(where.Cgroup(), s.Cgroup))
}

// mainPID is the id here of the main process of a service, 0 if it has none.
func mainPID(where *place.Place, s state) int {
	return proc.Machine.Find(processes(where, s), where.Leader(), int(s.PID))
}

// confined finds out what the main process of a unit is really kept from.
func confined(where *place.Place, s state, plan generator.Plan) (confine.Confinement, error) {
	return confine.Read(confine.Subject{
		PID: mainPID(where, s), Leader: where.Leader(), Cgroup: filepath.Join(where.Cgroup(), s.Cgroup), Version: where.SystemdVersion(),
		Property: func(directive string) any { return s.Properties[directive] },
	}, plan)
}

// ended says in words how the main process of a unit ended.
func (s state) ended() string {
	switch {
	case s.Result == "oom-kill":
		return "the kernel had no memory left for it and killed it, result oom-kill"
	case s.Code == 0:
		return fmt.Sprintf("%s (%s), result %s", s.Active, s.Sub, s.Result)
	case s.Code != observe.Exited:
		return fmt.Sprintf("killed by %s, result %s", unix.SignalName(unix.Signal(s.Status)), s.Result)
	case trial.ExitName(s.Status) != "":
		return fmt.Sprintf("status %d/%s, result %s", s.Status, trial.ExitName(s.Status), s.Result)
	}
	return fmt.Sprintf("status %d, result %s", s.Status, s.Result)
}

// failed reports whether the service has ended, and not well.
func (s state) failed() bool {
	return s.Result != "" && s.Result != "success" || s.Active == "failed"
}
