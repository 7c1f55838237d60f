package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"temper/harness/clone"
	"temper/harness/confine"
	"temper/internal/systemd"
)

// standIn is the text by which a unit runs another program instead of its own commands.
const standIn = `
[Service]
Type=exec
RemainAfterExit=no
WatchdogSec=0
ExecCondition=
ExecStartPre=
ExecStart=
ExecStart=%s 1000
ExecStartPost=
ExecReload=
ExecStop=
ExecStopPost=
`

// StandIn finds out which directives hold for a service whose process has ended already, such as one of Type=oneshot:
// it runs a program that only waits, in the same unit and under the same drop-in. If systemd cannot run that program
// either, the confinement is empty and the error nil. Of the request only the plan and the mounts count.
func (s Launcher) StandIn(ctx context.Context, r Request, program string) (confine.Confinement, error) {
	if s.Clone.ForEachConnection() {
		return confine.Confinement{}, nil
	}
	s.Clone.Activation.Sockets = nil
	stem := clone.NewName(s.Stem)
	l := &launch{
		Launcher: s, Request: r, name: s.Clone.Service(stem), begin: time.Now(),
		states: newStates(s.Place.Manager()), result: Result{Dropin: r.Plan.Text()}, slice: s.slice(stem),
	}
	files := s.Clone.Files(stem, l.result.Dropin)
	files[l.name+".d/"+clone.LateDropin] += fmt.Sprintf(standIn, program)
	defer l.removeUnits(ctx, slices.Sorted(maps.Keys(files)))
	if err := clone.Write(s.Place, files); err != nil {
		return confine.Confinement{}, err
	}
	job, cancel := context.WithTimeout(ctx, s.Profile.Prove.Timeout)
	defer cancel()
	_, ended, err := l.startUnits(job, "temper's look at "+s.Clone.Unit.Name)
	if runs, err := standInRuns(ctx, ended, err); !runs {
		return confine.Confinement{}, err
	}
	err = l.readConfinement(ctx)
	return l.result.Confinement, err
}

// standInRuns reports by the result of its start job whether a stand-in runs. It returns an error if the manager did
// not answer.
func standInRuns(ctx context.Context, result string, err error) (bool, error) {
	_, refused := systemd.Refused(err)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case refused, errors.Is(err, context.DeadlineExceeded):
		return false, nil
	case err != nil:
		return false, err
	}
	return result == systemd.Done, nil
}
