package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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

// withoutClient is the text by which an instance for a connection runs without one.
const withoutClient = `StandardInput=null
StandardOutput=journal
StandardError=journal
`

// StandIn finds out which directives hold for a service whose process has ended already, such as one of Type=oneshot:
// it runs a program that only waits, in the same unit and under the same drop-in. If systemd cannot run that program
// either, the confinement is empty and the error nil. Of the request only the plan and the mounts count.
func (s Launcher) StandIn(ctx context.Context, r Request, program string) (confine.Confinement, error) {
	text := fmt.Sprintf(standIn, program)
	if s.Clone.ForEachConnection() {
		text += withoutClient
	} else {
		s.Clone.Activation.Sockets = nil
	}
	stem := clone.NewName(s.Stem)
	l := &launch{
		Launcher: s, Request: r, name: s.Clone.Service(stem), begin: time.Now(),
		states: newStates(s.Place.Manager()), result: Result{Dropin: r.Plan.Text()}, slice: s.slice(stem),
	}
	files := s.Clone.Files(stem, l.result.Dropin)
	files[l.name+".d/"+clone.LateDropin] += text
	l.name = strings.Replace(l.name, "@.", "@1.", 1)
	defer l.removeUnits(ctx, slices.Sorted(maps.Keys(files)))
	if err := clone.Write(s.Place, files); err != nil {
		return confine.Confinement{}, err
	}
	job, cancel := context.WithTimeout(ctx, s.Profile.Prove.Timeout)
	defer cancel()
	ended, err := l.startStandIn(job, "temper's look at "+s.Clone.Unit.Name)
	if runs, err := standInRuns(ctx, ended, err); !runs {
		return confine.Confinement{}, err
	}
	err = l.readConfinement(ctx)
	return l.result.Confinement, err
}

// startStandIn starts the service, or an instance of it without a client if it has one for each connection: that comes
// from the file of its template.
func (l *launch) startStandIn(ctx context.Context, description string) (result string, err error) {
	if !l.Clone.ForEachConnection() {
		_, result, err = l.startUnits(ctx, description)
		return result, err
	}
	if l.slice != "" {
		if result, err = l.StartTransient(ctx, systemd.Replace, description, l.slice); err == nil {
			err = l.attachRules(ctx)
		}
		if err != nil || result != systemd.Done {
			return result, err
		}
	}
	return l.Place.Manager().StartUnit(ctx, l.name)
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
