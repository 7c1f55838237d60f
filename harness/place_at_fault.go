package harness

import (
	"fmt"
	"slices"
	"strings"

	"temper/harness/place"
	"temper/harness/trial"
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
	if limits := where.LimitsReached(); len(limits) > 0 {
		return fmt.Sprintf("the service ran into the limits of the place (%s)", strings.Join(limits, ", "))
	}
	if where.Trusted() || r.OK || r.Dropin != "" {
		return ""
	}
	if directives, listed := placeStatuses[r.Status]; listed {
		return fmt.Sprintf("systemd exits with status %d for %s, which this place may withhold", r.Status, directives)
	}
	var refused []string
	for _, d := range r.Withheld {
		if text := d.String(); !slices.Contains(refused, text) {
			refused = append(refused, text)
		}
	}
	if len(refused) > 0 {
		return "this place withholds from every service: " + abbreviate(refused)
	}
	return ""
}
