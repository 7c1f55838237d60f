// Package trial launches a service once under one plan and tells what was seen.
package trial

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"temper/harness/confine"
	"temper/harness/observe"
	"temper/harness/witness"
	"temper/internal/verdict"
)

// A Result is one launch of a service and what was seen.
type Result struct {
	Dropin   string             // temper's drop-in; empty in the baseline
	OK       bool               // it started, stayed up, passed every required check and stopped
	Failures []verdict.Evidence // why not, the most telling first
	Warnings []verdict.Evidence // advisory checks that failed
	confine.Confinement
	Log       []string         // what the service logged
	Refused   witness.Record   // what the kernel refused it; empty where there is no witness
	Withheld  []witness.Denial // what root was refused since the place withholds it from every service
	NoWitness error            // why there is no witness; nil if there is one, or none was wanted
	Status    int32            // exit status of the main process, 0 while it runs
	Took      time.Duration
	Made      []string // what lasts, if that is why each further trial gets a place of its own
	Seen      observe.Launch
}

// differs is the kind of evidence that a service differs from its baseline.
const differs = "baseline"

func isDifference(e verdict.Evidence) bool { return e.Kind == differs }

// Compare returns the result of a hardened launch, compared with launches without hardening unless it has failed
// otherwise. It can be compared again when there are more of these.
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

// OnlyLogsDiffer reports whether nothing failed but that it logs other errors than the baseline.
func (r Result) OnlyLogsDiffer() bool {
	isLog := func(e verdict.Evidence) bool { return strings.HasPrefix(e.Text, observe.NewError) }
	return r.OnlyDiffers() && !slices.ContainsFunc(r.Failures, func(e verdict.Evidence) bool { return !isLog(e) })
}

// Evidence is what a failed launch shows of its failure: how it ended, and the last line of its log.
func (r Result) Evidence() []verdict.Evidence {
	list := slices.Clone(r.Failures[:min(len(r.Failures), 3)])
	if n := len(r.Log); n > 0 {
		list = append(list, verdict.Evidence{Kind: "log", Text: r.Log[n-1]})
	}
	return list
}

// Record is the log of the launch, as it is stored.
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

// Unwitnessed says how much of what the launch was refused is not known.
func (r Result) Unwitnessed() []verdict.Evidence {
	if r.Refused.Dropped == 0 {
		return nil
	}
	text := fmt.Sprintf("%d more system calls failed, too fast for the witness to tell which", r.Refused.Dropped)
	return []verdict.Evidence{{Kind: "unseen", Text: text}}
}

// rename gives the service its own name in what was seen, where a path or a message has that of the trial: the next
// launch has another, and boot neither.
func (r *Result) rename(trial, service string) {
	r.Refused = r.Refused.Renamed(trial, service)
	for i, line := range r.Log {
		r.Log[i] = strings.ReplaceAll(line, trial, service)
	}
}
