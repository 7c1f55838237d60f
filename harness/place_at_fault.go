package harness

import (
	"fmt"
	"slices"
	"strings"

	"temper/harness/place"
	"temper/harness/trial"
)

// placeStatuses are exit statuses of systemd.exec(5) for what a place may withhold, by the directives that they stand
// for.
var placeStatuses = map[int32]string{
	211: "IOSchedulingClass= or IOSchedulingPriority=",
	214: "CPUSchedulingPolicy= or CPUSchedulingPriority=",
	217: "User= or PrivateUsers=",
}

// doubt says why a launch may have failed for the sake of the place and not of the service: it ran into a limit of the
// place, or it failed without hardening after the place had refused its root something. It is empty where nothing says
// so.
func doubt(where *place.Place, r trial.Result) string {
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
		return "this place withholds from every service: " + some(refused)
	}
	return ""
}
