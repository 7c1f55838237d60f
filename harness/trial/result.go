// Package trial launches a service once under one plan and returns what it showed.
//
// Call [Launcher.Launch].
package trial

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"temper/harness/check"
	"temper/harness/confine"
	"temper/harness/observe"
	"temper/harness/witness"
	"temper/internal/verdict"
)

// A Result is the result of one launch of a service.
type Result struct {
	Dropin   string             // temper's drop-in; empty in the baseline
	OK       bool               // it started, stayed up, passed every required check and stopped
	Failures []verdict.Evidence // why not, the most telling first
	Warnings []verdict.Evidence // advisory checks that failed
	confine.Confinement
	Log       []string         // what the service logged
	Refused   witness.Record   // what the kernel refused to it; empty if there is no witness
	Withheld  []witness.Denial // the denials of root that the place causes for every service
	NoWitness error            // why there is no witness; nil if there is one, or none was wanted
	Outcomes  []check.Outcome  // of its checks, in all phases
	Work      []string         // what shows that it did its work, apart from checks
	Limits    []string         // of the place that its processes ran into meanwhile
	Status    int32            // exit status of the main process, 0 while it runs
	OutOfTime bool             // nothing failed but that a limit of time was reached
	Share     float64          // the most that a job or a check needed of its limit of time: 1 is all of it
	Took      time.Duration
	Watchdog  time.Duration // how long systemd waits for a sign of life of the service; 0 if it does not
	Made      []string      // what the launch made permanently, if each further trial therefore gets its own place
	Seen      observe.Launch
}

// differs is the kind of evidence for a difference from the baseline.
const differs = "baseline"

func isDifference(e verdict.Evidence) bool { return e.Kind == differs }

// Compare compares a hardened launch with launches without hardening, unless it has failed otherwise: each difference
// is a failure of the result. It can be called again with more launches.
func (r Result) Compare(with observe.Baselines) Result {
	if r.Dropin == "" {
		return r
	}
	r.Failures = slices.DeleteFunc(slices.Clone(r.Failures), isDifference)
	if len(r.Failures) == 0 {
		for _, text := range with.Differences(r.Seen) {
			r.Failures = append(r.Failures, verdict.Evidence{Kind: differs, Text: text})
		}
	}
	r.OK = len(r.Failures) == 0
	return r
}

// OnlyDiffers reports whether nothing failed but the comparison with the baseline.
func (r Result) OnlyDiffers() bool {
	return !r.OK && len(r.Failures) > 0 && isDifference(r.Failures[0])
}

// OnlyLogsDiffer reports whether nothing failed but the comparison of logged errors with the baseline.
func (r Result) OnlyLogsDiffer() bool {
	isLog := func(e verdict.Evidence) bool { return strings.HasPrefix(e.Text, observe.NewError) }
	return r.OnlyDiffers() && !slices.ContainsFunc(r.Failures, func(e verdict.Evidence) bool { return !isLog(e) })
}

// checkFailed is the kind of evidence for a failed check.
const checkFailed = "check"

// A CheckRun is one check in one phase.
type CheckRun struct{ Check, Phase string }

// FailedChecks are the required checks that failed. With hardening, one that did not run has failed.
func (r Result) FailedChecks() []CheckRun {
	return r.checks(func(o check.Outcome) bool { return o.Required && !o.OK && (!o.NotRun || r.Dropin != "") })
}

// NotRun are the checks that did nothing.
func (r Result) NotRun() []CheckRun { return r.checks(func(o check.Outcome) bool { return o.NotRun }) }

func (r Result) checks(match func(check.Outcome) bool) []CheckRun {
	var list []CheckRun
	for _, o := range r.Outcomes {
		if match(o) {
			list = append(list, CheckRun{o.Name, o.Phase})
		}
	}
	return list
}

// OnlyChecksFailed reports whether the service ran, and nothing failed but checks.
func (r Result) OnlyChecksFailed() bool {
	isOther := func(e verdict.Evidence) bool { return e.Kind != checkFailed }
	return !r.OK && len(r.FailedChecks()) > 0 && !slices.ContainsFunc(r.Failures, isOther)
}

// WithoutFailures returns the result as it is without the checks that failed.
func (r Result) WithoutFailures() Result {
	r.Failures, r.OK = nil, true
	return r
}

// Evidence is the evidence of a failed launch: up to three failures, and the last line of its log.
func (r Result) Evidence() []verdict.Evidence {
	list := slices.Clone(r.Failures[:min(len(r.Failures), 3)])
	if n := len(r.Log); n > 0 {
		list = append(list, verdict.Evidence{Kind: "log", Text: r.Log[n-1]})
	}
	return list
}

// Record is the log of the launch in the form that is stored.
func (r Result) Record(number int) verdict.Trial {
	log := verdict.Trial{
		Number: number, Dropin: r.Dropin, OK: r.OK, Failures: r.Failures, Warnings: r.Warnings, Log: r.Log,
		Seconds: float64(r.Took.Milliseconds()) / 1000,
	}
	for _, d := range r.Refused.Denials {
		log.Refused = append(log.Refused, d.String())
	}
	for _, e := range r.Unwitnessed() {
		log.Refused = append(log.Refused, e.Text)
	}
	return log
}

// Unwitnessed says how many refusals the witness could not record.
func (r Result) Unwitnessed() []verdict.Evidence {
	if r.Refused.Dropped == 0 {
		return nil
	}
	text := fmt.Sprintf("%d more system calls failed, too fast for the witness to tell which", r.Refused.Dropped)
	return []verdict.Evidence{{Kind: "unseen", Text: text}}
}

// rename replaces the name of the trial by that of the service in paths and messages: each launch has another name, and
// at boot there is none.
func (r *Result) rename(trial, service string) {
	r.Refused = r.Refused.Renamed(trial, service)
	for i, line := range r.Log {
		r.Log[i] = strings.ReplaceAll(line, trial, service)
	}
}
