package policy

import (
	"fmt"
	"path"
	"time"
)

// Judgement is what a policy says about the exposure of one unit.
type Judgement struct {
	Threshold *int    // in tenths; nil if the unit has no threshold
	Over      bool    // the unit is above its threshold
	Waiver    *Waiver // the waiver for the unit, even if it has expired; nil if there is none
	Expired   bool    // the waiver no longer holds
}

// Fails reports whether the unit is over its threshold and no waiver holds.
func (j Judgement) Fails() bool { return j.Over && (j.Waiver == nil || j.Expired) }

// Text is the judgement for people, "" if the unit has no threshold or is below it.
func (j Judgement) Text() string {
	switch {
	case j.Threshold == nil || !j.Over:
		return ""
	case j.Waiver == nil:
		return fmt.Sprintf("over its threshold of %d.%d", *j.Threshold/10, *j.Threshold%10)
	case j.Expired:
		return fmt.Sprintf("over its threshold of %d.%d, and its waiver ended on %s: %s",
			*j.Threshold/10, *j.Threshold%10, j.Waiver.Until.Format(DateFormat), j.Waiver.Reason)
	}
	return fmt.Sprintf("over its threshold of %d.%d, waived until %s: %s",
		*j.Threshold/10, *j.Threshold%10, j.Waiver.Until.Format(DateFormat), j.Waiver.Reason)
}

// Judge decides about a unit that has these names and an exposure in tenths. The threshold for a name comes before one
// for a glob, a longer glob before a shorter one, and both before the one for all units. A waiver holds until the end
// of its last day, in UTC.
func (p *Policy) Judge(names []string, exposure int, now time.Time) Judgement {
	j := Judgement{Threshold: p.thresholdOf(names)}
	j.Over = j.Threshold != nil && exposure > *j.Threshold
	for i := range p.Waivers {
		w := &p.Waivers[i]
		if !matches(w.Pattern, names) {
			continue
		}
		expired := !now.UTC().Before(w.Until.AddDate(0, 0, 1))
		if j.Waiver == nil || j.Expired && !expired {
			j.Waiver, j.Expired = w, expired
		}
	}
	return j
}

func (p *Policy) thresholdOf(names []string) *int {
	best, length := p.Threshold, -1
	for i := range p.Units {
		u := &p.Units[i]
		weight := len(u.Pattern)
		for _, name := range names {
			if name == u.Pattern {
				weight = 1 << 16 // longer than any glob
			}
		}
		if matches(u.Pattern, names) && weight > length {
			best, length = &u.Threshold, weight
		}
	}
	return best
}

func matches(pattern string, names []string) bool {
	for _, name := range names {
		if ok, _ := path.Match(pattern, name); ok || name == pattern {
			return true
		}
	}
	return false
}
