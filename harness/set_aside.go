package harness

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"temper/harness/check"
	"temper/harness/clone"
	"temper/harness/place"
	"temper/harness/search"
	"temper/harness/trial"
	"temper/harness/usage"
	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// placeStatuses are the exit statuses of systemd.exec(5) that a place may cause by what it withholds, with the
// directives that fail then.
var placeStatuses = map[int32]string{
	211: "IOSchedulingClass= or IOSchedulingPriority=",
	214: "CPUSchedulingPolicy= or CPUSchedulingPriority=",
	217: "User= or PrivateUsers=",
}

// placeFault says why the place, and not the service, may be the cause of a failed launch: the service ran into a limit
// of the place, or it failed without hardening after the place had refused something to its root. It is empty if there
// is no sign of that.
func placeFault(where *place.Place, u *unit.Unit, r trial.Result) string {
	if r.OK {
		return ""
	}
	if len(r.Limits) > 0 {
		return fmt.Sprintf("the service ran into the limits of the place (%s)", strings.Join(r.Limits, ", "))
	}
	if where.Trusted() || r.Dropin != "" {
		return ""
	}
	if directives, listed := placeStatuses[r.Status]; listed && !lacksUser(where.Root(), u) {
		return fmt.Sprintf("systemd exits with status %d for %s, which this place may withhold", r.Status, directives)
	}
	if refused := calls(r.Withheld); len(refused) > 0 {
		return "this place withholds from every service: " + abbreviate(refused)
	}
	return ""
}

// lacksUser reports whether nobody has the name of the unit's User=: a service that fails for that would fail anywhere.
func lacksUser(root host.Root, u *unit.Unit) bool {
	user, _ := u.Last("Service", "User")
	if _, err := strconv.Atoi(user.Value); user.Value == "" || err == nil || clone.IsDynamic(u) {
		return false
	}
	passwd, err := root.ReadFile("/etc/passwd") // passwd(5)
	return err == nil && !strings.Contains("\n"+string(passwd), "\n"+user.Value+":")
}

// calls are different calls that were refused.
func calls(denials []witness.Denial) []string {
	var list []string
	for _, d := range denials {
		if text := d.String(); !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// mayFailAlike reports whether a launch may have failed for the sake of its checks: the service ran without hardening,
// and only checks failed. Either the place withholds what they need, or the machine is configured otherwise than their
// writer thought.
func (s *series) mayFailAlike(r trial.Result) bool {
	return r.Dropin == "" && r.OnlyChecksFailed() && len(r.Limits) == 0 && len(s.baselines) == 0
}

// setAsideChecks sets aside the checks that failed alike in two launches. Without these checks both are baselines; it
// returns the second. The error wraps [search.ErrFlaky] if others failed, and [search.ErrBroken] if the place may be at
// fault and no check is left to decide.
func (s *series) setAsideChecks(first, second trial.Result) (trial.Result, error) {
	failed := second.FailedChecks()
	for _, c := range slices.Concat(first.FailedChecks(), failed) {
		if !slices.Contains(failed, c) || !slices.Contains(first.FailedChecks(), c) {
			return second, fmt.Errorf("baseline: %w: check %q failed in one launch (%s) and passed in another",
				search.ErrFlaky, c.Check, c.Phase)
		}
	}
	refused := ""
	if list := calls(second.Withheld); len(list) > 0 {
		refused = "; this place withholds from every service: " + abbreviate(list)
	}
	for _, o := range second.Outcomes {
		if run := (trial.CheckRun{Check: o.Name, Phase: o.Phase}); slices.Contains(failed, run) {
			s.setAside = append(s.setAside, usage.SetAside{CheckRun: run, Reason: o.Detail + refused})
		}
	}
	passed := func(o check.Outcome) bool { return o.Required && o.OK }
	if refused != "" && !slices.ContainsFunc(second.Outcomes, passed) {
		return second, fmt.Errorf("%w: %s", search.ErrBroken, second.Failures[0].Text)
	}
	s.placeFault = "" // what is left decides
	second = second.WithoutFailures()
	s.baselines = append(s.baselines, first.WithoutFailures(), second)
	return second, nil
}

// notJudged are the checks that show nothing in this proof: they are set aside, or they did not run without hardening.
func (s *series) notJudged() []trial.CheckRun {
	var list []trial.CheckRun
	for _, c := range s.setAside {
		list = append(list, c.CheckRun)
	}
	for _, b := range s.baselines {
		list = append(list, b.NotRun()...)
	}
	return list
}

// owedTo returns the demotions that one of the checks was the reason for.
func owedTo(demotions []verdict.Demotion, checks []trial.CheckRun) []verdict.Demotion {
	return slices.DeleteFunc(slices.Clone(demotions), func(d verdict.Demotion) bool {
		return !slices.ContainsFunc(checks, func(c trial.CheckRun) bool { return slices.Contains(d.Checks, c.Check) })
	})
}

// reachedLimits says which limits of the place the service reached and went on.
func (s *series) reachedLimits() []verdict.Evidence {
	slices.Sort(s.limits)
	limits := slices.Compact(s.limits)
	if len(limits) == 0 {
		return nil
	}
	return []verdict.Evidence{notSeen("what it does with more than a place allows was not seen: it ran into the limits "+
		"of the place (%s) and went on", strings.Join(limits, ", "))}
}
