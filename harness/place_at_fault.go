package harness

import (
	"fmt"
	"slices"
	"strings"

	"temper/harness/place"
	"temper/harness/trial"
	"temper/harness/witness"
	"temper/internal/verdict"
	"temper/profiles"
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
func placeFault(where *place.Place, r trial.Result) string {
	if r.OK {
		return ""
	}
	if len(r.Limits) > 0 {
		return fmt.Sprintf("the service ran into the limits of the place (%s)", strings.Join(r.Limits, ", "))
	}
	if where.Trusted() || r.Dropin != "" {
		return ""
	}
	if directives, listed := placeStatuses[r.Status]; listed {
		return fmt.Sprintf("systemd exits with status %d for %s, which this place may withhold", r.Status, directives)
	}
	if refused := calls(r.Withheld); len(refused) > 0 {
		return "this place withholds from every service: " + abbreviate(refused)
	}
	return ""
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

// setAside is a check that fails without hardening, and what the place withholds from the service meanwhile.
type setAside struct{ check, refused string }

// placeFails reports whether a launch may have failed for the sake of the place, and by its checks alone: the service
// runs, has no hardening, and was refused what the place withholds from every service.
func (s *series) placeFails(r trial.Result) bool {
	isCheck := func(e verdict.Evidence) bool { return e.Kind == "check" }
	return r.Dropin == "" && len(r.Withheld) > 0 && len(r.Limits) == 0 && len(s.baselines) == 0 &&
		len(r.Checks) > 0 && !slices.ContainsFunc(r.Failures, func(e verdict.Evidence) bool { return !isCheck(e) })
}

// setAsideChecks sets aside the checks that failed alike in two launches. It returns false where others failed, or
// where no check would be left to decide: then the proof cannot be made here.
func (s *series) setAsideChecks(first, second trial.Result) bool {
	failed := func(c profiles.Check) bool { return slices.Contains(first.Checks, c.Name) }
	left := slices.DeleteFunc(slices.Clone(s.profile.Checks), failed)
	if !s.placeFails(second) || !slices.Equal(first.Checks, second.Checks) ||
		!slices.ContainsFunc(left, func(c profiles.Check) bool { return c.Required }) {
		return false
	}
	profile := *s.profile
	profile.Checks = left
	s.profile = &profile
	refused := abbreviate(calls(second.Withheld))
	for _, name := range first.Checks {
		s.setAside = append(s.setAside, setAside{name, refused})
	}
	s.placeFault = "" // what is left decides
	return true
}

// setAsideOrLimited says which checks were set aside, and which limits the service reached and went on.
func (s *series) setAsideOrLimited() []verdict.Evidence {
	var list []verdict.Evidence
	for _, c := range s.setAside {
		list = append(list, notSeen("the check %q is set aside: it fails without hardening too, and this place "+
			"withholds "+
			"from every service: %s", c.check, c.refused))
	}
	slices.Sort(s.limits)
	if limits := slices.Compact(s.limits); len(limits) > 0 {
		list = append(list, notSeen("what it does with more than a place allows was not seen: it ran into the limits "+
			"of the place (%s) and went on", strings.Join(limits, ", ")))
	}
	return list
}
