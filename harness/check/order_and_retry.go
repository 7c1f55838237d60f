// Package check runs the smoke checks of a profile against the service in a trial.
//
// Call [Run] once for each phase of a trial. It promises that a check passes only by an answer that the service gives
// now: it uses no cache and no proxy, follows no redirect and activates no D-Bus name. It repeats a check that fails
// until the retry time of the check ends, so a service may open its port a moment after it reports that it is ready.
//
// Limits: the checks of one phase run one after the other, in the order of the profile, since a check may prepare
// another one. Checks of the journal run last, so that they see what the others have caused.
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/godbus/dbus/v5"

	"temper/harness/place"
	"temper/internal/host"
	"temper/profiles"
)

// Place is the part of a place that checks use; *place.Place implements it.
type Place interface {
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	Run(ctx context.Context, c place.Command) (place.Result, error)
	Stream(ctx context.Context, args []string, read func(io.Reader) error) (status int, stderr string, err error)
	HasProgram(name string) bool // whether Run finds the program
	Root() host.Root
	IDInside(id uint32) uint32   // the id inside the place of a user or group of a file below Root
	Inside(f func() error) error // calls f where files of proc(5) show the values of the place
	Leader() int                 // PID 1 of the place, by its id here
	Bus() *dbus.Conn
}

// Service is the service that is checked.
type Service interface {
	PIDs(ctx context.Context) ([]int, error) // its processes, by their ids here
}

// Env describes the trial to the checks.
type Env struct {
	Place Place
	// Service is asked where it listens, for the checks that want to know.
	Service Service
	// Unit is the trial's own unit; the journal check reads what it logged.
	Unit string
	// Since is when the trial began. Earlier messages of a unit of the same name are ignored.
	Since time.Time
	// Environ is added to the environment of exec checks, "NAME=value" each.
	Environ []string
	// Gone is closed when the service has ended for good: then a failed check is not repeated. It is nil in the phase
	// stopped.
	Gone <-chan struct{}
}

// Outcome is the result of one check in one phase.
type Outcome struct {
	Name, Kind, Phase string
	Required          bool
	OK                bool
	NotRun            bool // it did nothing, and OK is false
	// Detail says in one line what was seen, and after a failure also what was expected, or why the check did not run.
	Detail string
	// Attempts is the number of attempts, at least 1.
	Attempts int
	Took     time.Duration
	// OutOfTime says that the check failed when its time was over: with more time it may pass.
	OutOfTime bool
}

// Share is how much of its time a check needed that has passed: 1 is all of it.
func (o Outcome) Share(c profiles.Check) float64 {
	limit := timeoutOf(c)
	if o.Attempts > 1 {
		limit = c.Retry
	}
	if !o.OK || limit <= 0 {
		return 0
	}
	return float64(o.Took) / float64(limit)
}

// probe makes one attempt at a check. It returns what it saw, or an error that says what was expected and what was
// seen.
type probe func(ctx context.Context, env Env) (string, error)

// final marks a failure that no further attempt can change.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// notRun is the reason why a check did nothing.
type notRun struct{ error }

func isFinal(err error) bool {
	_, is := errors.AsType[final](err)
	return is || didNotRun(err)
}

func didNotRun(err error) bool {
	_, is := errors.AsType[notRun](err)
	return is
}

// Run runs the checks that belong to a phase (running, reloaded, restarted, stopped) and returns their outcomes in the
// order of the checks. After a required check has failed, the retry times of the others count from the start of the
// phase: the trial has failed, and they had that time too.
func Run(ctx context.Context, env Env, checks []profiles.Check, phase string) []Outcome {
	checks = ofPhase(checks, phase)
	outcomes := make([]Outcome, len(checks))
	begin, lost := time.Now(), false
	for _, i := range journalLast(checks) {
		c := checks[i]
		from := time.Now()
		if lost {
			from = begin
		}
		o := attempt(ctx, env, c, from.Add(c.Retry))
		o.Name, o.Kind, o.Phase, o.Required = c.Name, c.Kind(), phase, c.Required
		outcomes[i] = o
		lost = lost || c.Required && !o.OK && !o.NotRun
	}
	return outcomes
}

func ofPhase(checks []profiles.Check, phase string) []profiles.Check {
	var of []profiles.Check
	for _, c := range checks {
		if c.In(phase) {
			of = append(of, c)
		}
	}
	return of
}

// journalLast returns the indices of the checks in the order in which they run.
func journalLast(checks []profiles.Check) []int {
	order := make([]int, 0, len(checks))
	for i, c := range checks {
		if c.Journal == nil {
			order = append(order, i)
		}
	}
	for i, c := range checks {
		if c.Journal != nil {
			order = append(order, i)
		}
	}
	return order
}

// attempt repeats a check until it passes, fails finally, or the time until is over.
func attempt(ctx context.Context, env Env, c profiles.Check, until time.Time) Outcome {
	timeout, try, begin := timeoutOf(c), probeWhereItListens(c), time.Now()
	if missing := missing(env.Place, c); missing != "" {
		return outcome("", notRun{fmt.Errorf("needs %s, which is not there", missing)}, 1, 0)
	}
	for n, pause := 1, 20*time.Millisecond; ; n, pause = n+1, min(2*pause, 250*time.Millisecond) {
		seen, err := once(ctx, env, try, timeout)
		over := time.Now().Add(pause).After(until)
		if err == nil || isFinal(err) || over || !wait(ctx, env, pause) {
			o := outcome(seen, err, n, time.Since(begin))
			o.OutOfTime = over && err != nil && !isFinal(err) && ctx.Err() == nil
			return o
		}
	}
}

// timeoutOf is the limit of one attempt.
func timeoutOf(c profiles.Check) time.Duration {
	if c.Timeout <= 0 {
		return profiles.DefaultCheckTimeout
	}
	return c.Timeout
}

func outcome(seen string, err error, attempts int, took time.Duration) Outcome {
	o := Outcome{OK: err == nil, NotRun: didNotRun(err), Detail: oneLine(seen), Attempts: attempts, Took: took}
	if err != nil {
		o.Detail = oneLine(err.Error())
	}
	return o
}

func once(ctx context.Context, env Env, try probe, timeout time.Duration) (string, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	seen, err := try(limited, env)
	if err == nil || ctx.Err() != nil || limited.Err() == nil {
		return seen, err
	}
	return seen, fmt.Errorf("%w (gave up after %v)", err, timeout)
}

// wait pauses before the next attempt and reports whether there should be one.
func wait(ctx context.Context, env Env, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-env.Gone:
		return false
	case <-timer.C:
		return true
	}
}

func probeOf(c profiles.Check) probe {
	switch {
	case c.HTTP != nil:
		return probeHTTP(*c.HTTP)
	case c.TCP != nil:
		return probeStream("tcp", *c.TCP)
	case c.UDP != nil:
		return probeDatagram(*c.UDP)
	case c.Unix != nil:
		return probeUnix(*c.Unix)
	case c.Exec != nil:
		return probeExec(*c.Exec)
	case c.File != nil:
		return probeFile(*c.File)
	case c.DBus != nil:
		return probeDBus(*c.DBus)
	case c.Journal != nil:
		return probeJournal(*c.Journal)
	}
	const want = "http, tcp, udp, unix, exec, file, dbus, journal"
	return func(context.Context, Env) (string, error) {
		return "", final{errors.New("the check says nothing to do; want one of " + want)}
	}
}
