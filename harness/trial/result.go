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
	"temper/harness/clone"
	"temper/harness/confine"
	"temper/harness/observe"
	"temper/harness/witness"
	"temper/internal/verdict"
	"temper/needs"
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
	Slowest   time.Duration    // how long its slowest start, reload or stop took
	Share     float64          // the most that a job or a check needed of its limit of time: 1 is all of it
	Took      time.Duration
	Watchdog  time.Duration // how long systemd waits for a sign of life of the service; 0 if it does not
	Made      []string      // what the launch made permanently, if each further trial therefore gets its own place
	Seen      observe.Launch
	Uses      Uses            // what the service used; the zero value if nobody wanted to know
	Users     map[uint32]bool // as whom its processes were seen to run, by their ids on this machine

	Differences  []observe.Difference // from the baselines; see [Result.Compare]
	EndedByProbe bool                 // it is a baseline whose service ended since a probe had asked it
}

// Uses are what a service used in a launch.
type Uses struct {
	Needs   []needs.Need
	Lost    uint64 // uses that could not be recorded
	Unknown error  // why nothing, or not all, is known; nil if all is
}

// differs is the kind of evidence for a difference from the baseline.
const differs = "baseline"

func isDifference(e verdict.Evidence) bool { return e.Kind == differs }

// Compare compares a hardened launch with launches without hardening, unless it has failed otherwise: each difference
// is a failure of the result, or a warning if it is only advisory, or known to waver. It can be called again with more
// launches.
func (r Result) Compare(with observe.Baselines, wavering ...observe.Difference) Result {
	if r.Dropin == "" {
		return r
	}
	r.Failures = slices.DeleteFunc(slices.Clone(r.Failures), isDifference)
	r.Warnings = slices.DeleteFunc(slices.Clone(r.Warnings), isDifference)
	r.Differences = nil
	if len(r.Failures) == 0 {
		r.Differences = with.Differences(r.Seen)
	}
	for i, d := range r.Differences {
		r.Differences[i].Wavers = slices.ContainsFunc(wavering, d.Same)
	}
	advisories := 0
	for _, d := range r.Differences {
		switch e := (verdict.Evidence{Kind: differs, Text: d.Text}); {
		case !d.IsAdvisory():
			r.Failures = append(r.Failures, e)
		case advisories < maxAdvisories:
			r.Warnings = append(r.Warnings, e)
			advisories++
		}
	}
	r.OK = len(r.Failures) == 0
	return r
}

// maxAdvisories is how many advisory differences are told of one launch.
const maxAdvisories = 10

// OnlyDiffers reports whether nothing failed but the comparison with the baseline.
func (r Result) OnlyDiffers() bool {
	return !r.OK && len(r.Failures) > 0 && isDifference(r.Failures[0])
}

// OnlyLogsDiffer reports whether nothing failed but the comparison of logged errors with the baseline.
func (r Result) OnlyLogsDiffer() bool {
	return r.OnlyDiffers() && r.onlyDiffer(func(d observe.Difference) bool { return d.Kind == observe.Logged })
}

// MayWaver reports whether nothing failed but the comparison with the baseline, in what often differs between two
// launches without hardening as well.
func (r Result) MayWaver() bool { return r.OnlyDiffers() && r.onlyDiffer(observe.Difference.MayWaver) }

// Decisive are the differences that make the launch fail.
func (r Result) Decisive() []observe.Difference {
	return slices.DeleteFunc(slices.Clone(r.Differences), observe.Difference.IsAdvisory)
}

// onlyDiffer reports whether all differences that make the launch fail are of a sort.
func (r Result) onlyDiffer(is func(observe.Difference) bool) bool {
	return !slices.ContainsFunc(r.Decisive(), func(d observe.Difference) bool { return !is(d) })
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

// Record is the log of the launch in the form that is stored. What the kernel refused to a baseline as well is only
// counted.
func (r Result) Record(number int, baselines ...witness.Record) verdict.Trial {
	log := verdict.Trial{
		Number: number, Dropin: r.Dropin, OK: r.OK, Failures: r.Failures, Warnings: r.Warnings, Log: r.Log,
		Seconds: float64(r.Took.Milliseconds()) / 1000,
	}
	refused := r.Refused
	if r.Dropin != "" {
		for _, b := range baselines {
			refused = refused.Minus(b)
		}
	}
	for _, d := range refused.Denials {
		if text := d.String(); !slices.Contains(log.Refused, text) {
			log.Refused = append(log.Refused, text)
		}
	}
	if as := len(r.Refused.Denials) - len(refused.Denials); as > 0 {
		log.Refused = append(log.Refused, fmt.Sprintf("%d more, as without hardening", as))
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

// rename replaces the names of the clone by those of the service in paths and messages: each launch has other names,
// and at boot there are none.
func (r *Result) rename(names []clone.Renaming) {
	for _, n := range names {
		r.Refused = r.Refused.Renamed(n.Clone, n.Unit)
		for i, line := range r.Log {
			r.Log[i] = strings.ReplaceAll(line, n.Clone, n.Unit)
		}
		r.Seen.Rename(n.Clone, n.Unit)
		for i := range r.Uses.Needs {
			r.Uses.Needs[i].Subject = strings.ReplaceAll(r.Uses.Needs[i].Subject, n.Clone, n.Unit)
		}
	}
}
