package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/harness/blame"
	"temper/internal/systemd"
)

// waiters are programs that wait, one of which every system has.
var waiters = []string{"/usr/bin/sleep", "/bin/sleep"}

// standIn is what a unit runs instead of its own commands.
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

// standIn finds out by a stand-in what holds for a service that leaves no process to look at, such as one of Type=oneshot: in
// the same unit, under the same drop-in, runs a program that waits. Where that cannot run either, nothing is found out.
func (t *trials) standIn(ctx context.Context, plan generator.Plan) (Trial, error) {
	result := Trial{Dropin: plan.Text()}
	i := slices.IndexFunc(waiters, blame.NewService(generator.Input{Unit: t.unit}, placeFiles{t.place, t.began}).Exists)
	if i < 0 || t.cloning.accept() {
		return result, nil
	}
	release, err := hold(ctx, t.place, unix.LOCK_SH)
	if err != nil {
		return result, err
	}
	defer release()
	stem := fmt.Sprintf("%s-%d", t.stem, launches.Add(1))
	l := &launch{trials: t, plan: plan, name: t.cloning.service(stem), begin: time.Now(), result: &result}
	alone := *t.cloning
	alone.sockets = nil
	files := alone.files(stem, result.Dropin)
	files[l.name+".d/"+lateDropin] += fmt.Sprintf(standIn, waiters[i])
	defer l.clear(ctx, slices.Sorted(maps.Keys(files)))
	if err := t.write(files); err != nil {
		return result, err
	}
	job, cancel := context.WithTimeout(ctx, t.profile.Prove.Timeout)
	defer cancel()
	ended, err := t.manager.start(job, systemd.Replace, "temper's look at "+t.unit.Name, l.name)
	if err != nil || ended != systemd.Done {
		return result, ctx.Err()
	}
	err = l.confined(ctx)
	return result, err
}
