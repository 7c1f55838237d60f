package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"temper/harness/check"
	"temper/internal/systemd"
	"temper/internal/verdict"
)

// check runs the checks of a phase. Once the service has ended badly none goes on: its end tells more than they would,
// even if its socket starts it again.
func (l *launch) check(ctx context.Context, phase string) error {
	states, err := l.now(ctx)
	if err != nil {
		return err
	}
	if own := environment(l.Place, states); own != nil { // checks of a service that has stopped get what it had
		l.environment = own
	}
	env := check.Env{
		Place: l.Place, Unit: l.name, Since: l.begin,
		Environ: slices.Concat(l.environment, Variables(l.Place, l.Clone.Unit.ID, phase)),
	}
	during, end := ctx, func() *systemd.Service { return nil }
	if phase != "stopped" {
		during, env.Gone, end = watchEnd(ctx, l.now)
	}
	outcomes := check.Run(during, env, l.Profile.Checks, phase)
	bad := end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	over := l.alive(ctx, phase)
	if over == nil && bad != nil {
		over = l.fail("exit", "%s: %s", phase, ended(*bad))
	}
	for _, o := range outcomes {
		text := fmt.Sprintf("%s (%s, %s): %s", o.Name, o.Kind, o.Phase, o.Detail)
		switch {
		case o.OK:
		case o.Required:
			over = l.fail("check", "%s", text)
		default:
			l.result.Warnings = append(l.result.Warnings, verdict.Evidence{Kind: "check", Text: text})
		}
	}
	return over
}

// watchEnd watches, until stop is called, whether a service ends badly. Then, or if its state cannot be read any more,
// it closes gone and ends during. stop returns the bad end; after it the state is not read any more.
func watchEnd(
	ctx context.Context, read func(context.Context) ([]systemd.Service, error),
) (during context.Context, gone <-chan struct{}, stop func() (bad *systemd.Service)) {
	during, cancel := context.WithCancel(ctx)
	ended, watched := make(chan struct{}), make(chan struct{})
	var bad *systemd.Service
	go func() {
		defer close(watched)
		for during.Err() == nil {
			states, err := read(during)
			if during.Err() != nil {
				return
			}
			if i := slices.IndexFunc(states, failed); err != nil || i >= 0 {
				if i >= 0 {
					bad = &states[i]
				}
				close(ended)
				cancel()
				return
			}
			_ = wait(during, 50*time.Millisecond) // the loop ends where that does not wait
		}
	}()
	return during, ended, func() *systemd.Service {
		cancel()
		<-watched
		return bad
	}
}
