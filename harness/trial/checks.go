package trial

import (
	"context"
	"fmt"
	"slices"
	"time"

	"temper/harness/check"
	"temper/internal/systemd"
	"temper/internal/verdict"
	"temper/profiles"
)

// check runs the checks of a phase. It stops them when the service fails: the failure of the service is better evidence
// than that of a check, even if a socket starts the service again.
func (l *launch) check(ctx context.Context, phase string) error {
	states, err := l.now(ctx)
	if err != nil {
		return err
	}
	if err := l.readEnvironment(phase, states); err != nil {
		return err
	}
	env := check.Env{
		Place: l.Place, Service: l, Unit: l.name, Since: l.begin,
		Environ: slices.Concat(l.environment, Variables(l.Place, l.Clone.Unit.ID, phase)),
	}
	during, end := ctx, func() *systemd.Service { return nil }
	if phase != "stopped" {
		during, env.Gone, end = watchEnd(ctx, l.now)
	}
	outcomes := check.Run(during, env, l.checksOf(phase), phase)
	l.neededByChecks(outcomes)
	bad := end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	over := l.alive(ctx, phase)
	if over == nil && bad != nil {
		over = l.fail("exit", "%s: %s", phase, ended(*bad))
	}
	for _, o := range outcomes {
		if failed := l.judge(o); over == nil {
			over = failed
		}
	}
	return over
}

// readEnvironment reads the environment of the service, for the commands of checks. A service that has stopped keeps
// its last one.
func (l *launch) readEnvironment(phase string, states []systemd.Service) error {
	if !slices.ContainsFunc(l.Profile.Checks, func(c profiles.Check) bool { return c.Exec != nil }) {
		return nil
	}
	own, err := environment(l.Place, states)
	if err != nil {
		return l.fail("environment", "%s: the environment of the service: %v", phase, err)
	}
	if own != nil {
		l.environment = own
	}
	return nil
}

// checksOf are the checks of a phase, without those that show nothing there.
func (l *launch) checksOf(phase string) []profiles.Check {
	return slices.DeleteFunc(slices.Clone(l.Profile.Checks), func(c profiles.Check) bool {
		return slices.Contains(l.Skip, CheckRun{c.Name, phase})
	})
}

// judge records the outcome of a check, and fails the launch if that counts. Without hardening the launch goes on after
// a failed check, so that one launch shows all that fail. A check that runs without hardening has to run with it too.
func (l *launch) judge(o check.Outcome) error {
	l.result.Outcomes = append(l.result.Outcomes, o)
	if o.Required && o.OutOfTime {
		l.outOfTime++
	}
	hardened := l.result.Dropin != ""
	text := fmt.Sprintf("%s (%s, %s): %s", o.Name, o.Kind, o.Phase, o.Detail)
	switch {
	case o.OK, o.NotRun && !hardened:
	case !o.Required:
		l.result.Warnings = append(l.result.Warnings, verdict.Evidence{Kind: checkFailed, Text: text})
	case o.NotRun:
		return l.fail(checkFailed, "%s, but it ran without hardening", text)
	case hardened:
		return l.fail(checkFailed, "%s", text)
	default:
		_ = l.fail(checkFailed, "%s", text)
	}
	return nil
}

// neededByChecks notes how much of their limits the checks have needed.
func (l *launch) neededByChecks(outcomes []check.Outcome) {
	for _, o := range outcomes {
		for _, c := range l.Profile.Checks {
			if c.Name == o.Name && c.Kind() == o.Kind {
				l.result.Share = max(l.result.Share, o.Share(c))
			}
		}
	}
}

// watchEnd polls the state of a service until stop is called. When the service has failed, or its state cannot be read,
// it closes gone and ends the context during. stop returns the failed state, or nil; afterwards no state is read.
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
			_ = wait(during, 50*time.Millisecond) // an error ends the loop
		}
	}()
	return during, ended, func() *systemd.Service {
		cancel()
		<-watched
		return bad
	}
}
