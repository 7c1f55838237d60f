// Package report makes a page for people, and files for programs, of what was found out about many services.
//
// Start with [Summarize] for the numbers, and [WritePage] for the page: one HTML file that needs no network and no
// JavaScript. [Formats] are the files for programs.
package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/verdict"
	"temper/survey/results"
)

// A Summary counts what was found.
type Summary struct {
	Packages   []Count     `json:"packages"` // by outcome
	Units      []Count     `json:"units"`    // by outcome
	Causes     []Count     `json:"causes"`   // why services do not run without hardening
	Directives []Directive `json:"directives"`
	Exposures  []Step      `json:"exposures"`            // how many units that work hardened have which
	Before     float64     `json:"mean_exposure_before"` // of the units that work hardened
	After      float64     `json:"mean_exposure_after"`
	Launches   float64     `json:"mean_launches"`
	Seconds    float64     `json:"mean_seconds"`
	Working    int         `json:"working"` // units that work hardened
}

// A Count is how many there are of something.
type Count struct {
	Name string `json:"name"`
	N    int    `json:"n"`
}

// A Step is how many services have an exposure from From, below From + 1 or, in the last step, up to 10.
type Step struct {
	From   int `json:"from"`
	Before int `json:"before"`
	After  int `json:"after"`
}

const steps = 10

// stepOf is the step of an exposure.
func stepOf(exposure float64) int { return max(0, min(steps-1, int(exposure))) }

// A Directive is how many services survive a directive that was tried on them.
type Directive struct {
	Name   string `json:"directive"`
	Tried  int    `json:"tried"`
	Kept   int    `json:"kept"`   // as strong as the profile asks for
	Weaker int    `json:"weaker"` // with an exception or a weaker value
	Off    int    `json:"off"`
}

// Share is the part of the services that keep the directive as strong as their profiles ask for, in percent.
func (d Directive) Share() int { return 100 * d.Kept / max(1, d.Tried) }

// Summarize counts.
func Summarize(packages []results.Package, units []results.Unit) Summary {
	byOutcome, ofPackages, causes := map[string]int{}, map[string]int{}, map[string]int{}
	directives := map[string]*Directive{}
	s := Summary{Exposures: make([]Step, steps)}
	for i := range s.Exposures {
		s.Exposures[i].From = i
	}
	for _, p := range packages {
		ofPackages[p.Outcome]++
	}
	for _, u := range units {
		byOutcome[u.Outcome]++
		if u.Cause != "" {
			causes[u.Cause]++
		}
		if !u.Works() {
			continue
		}
		s.Working++
		s.Before += u.Verdict.Exposure.Before
		s.After += u.Verdict.Exposure.After
		s.Exposures[stepOf(u.Verdict.Exposure.Before)].Before++
		s.Exposures[stepOf(u.Verdict.Exposure.After)].After++
		s.Launches += float64(u.Verdict.Trials)
		s.Seconds += cmp.Or(u.Verdict.Seconds, u.Seconds)
		for name, fate := range fates(u.Verdict) {
			d := directives[name]
			if d == nil {
				d = &Directive{Name: name}
				directives[name] = d
			}
			d.add(fate)
		}
	}
	if n := float64(s.Working); n > 0 {
		s.Before, s.After, s.Launches, s.Seconds = s.Before/n, s.After/n, s.Launches/n, s.Seconds/n
	}
	s.Packages, s.Units, s.Causes = counts(ofPackages), counts(byOutcome), counts(causes)
	for _, name := range slices.Sorted(maps.Keys(directives)) {
		s.Directives = append(s.Directives, *directives[name])
	}
	slices.SortStableFunc(s.Directives, func(a, b Directive) int { return cmp.Compare(a.Share(), b.Share()) })
	return s
}

// A Fate is what became of a directive of a profile for one service.
type Fate int

// Fates. A directive that the service's own unit sets already has none.
const (
	NotTried Fate = iota
	Kept
	Weaker
	Off
)

func (d *Directive) add(f Fate) {
	d.Tried++
	switch f {
	case Kept:
		d.Kept++
	case Weaker:
		d.Weaker++
	case Off:
		d.Off++
	}
}

// fates says what became of each directive that was tried.
func fates(v verdict.Verdict) map[string]Fate {
	list := map[string]Fate{}
	for _, a := range v.Applied {
		if d, ok := directive.Lookup(a.Directive); ok && d.Restricts() {
			list[a.Directive] = Kept
		}
	}
	for _, d := range v.Demotions {
		list[d.Directive] = Weaker
		if d.To == verdict.Off {
			list[d.Directive] = Off
		}
	}
	return list
}

// counts sorts from the most to the least.
func counts(m map[string]int) []Count {
	list := []Count{}
	for name, n := range m {
		list = append(list, Count{name, n})
	}
	slices.SortFunc(list, func(a, b Count) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Name, b.Name))
	})
	return list
}
