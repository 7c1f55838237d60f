package verdict

import (
	"fmt"
	"slices"
)

// Use says how much of a service a proof used.
type Use struct {
	Checks []Check  `json:"checks"` // those of the profile, in its order
	Phases []string `json:"phases"` // in which checks of the hardened service ran
	Work   []string `json:"work"`   // what shows, besides checks, that it did its work: files that it made, probes
	Grants []Grant  `json:"grants"` // what the vendor's unit grants by name
}

// A Check is what became of one check in a proof.
type Check struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	Required bool   `json:"required"`
	Result   string `json:"result"`           // one of the constants below
	Reason   string `json:"reason,omitempty"` // why it did not pass
	Uses     bool   `json:"uses"`             // it makes the service do its work
}

// Results of a check.
const (
	Passed   = "passed"
	Failed   = "failed"    // only of a check that is not required
	NotRun   = "not-run"   // it did nothing, since something that it needs is missing
	SetAside = "set-aside" // it fails alike without hardening: the machine is configured otherwise
)

// A Grant is something that the vendor's unit grants the service by name.
type Grant struct {
	Directive string `json:"directive"`
	Name      string `json:"name"`
	Used      bool   `json:"used"` // a trial was seen to make use of it
}

// Used reports whether the service was used: a required check that uses it has passed, or something else shows its
// work.
func (u Use) Used() bool {
	uses := func(c Check) bool { return c.Required && c.Uses && c.Result == Passed }
	return len(u.Work) > 0 || slices.ContainsFunc(u.Checks, uses)
}

// Unused lists what the vendor's unit grants by name and no trial was seen to make use of.
func (u Use) Unused() []Grant {
	return slices.DeleteFunc(slices.Clone(u.Grants), func(g Grant) bool { return g.Used })
}

// Ran counts the checks that ran.
func (u Use) Ran() int {
	n := 0
	for _, c := range u.Checks {
		if c.Result == Passed || c.Result == Failed {
			n++
		}
	}
	return n
}

// Works reports whether the service starts, stays and stops with the drop-in: it is proven or started.
func (v Verdict) Works() bool { return v.Result == Proven || v.Result == Started }

// Unchecked lists the checks that did not run in the proof, or were set aside.
func (v Verdict) Unchecked() []Check {
	if v.Use == nil {
		return nil
	}
	ran := func(c Check) bool { return c.Result == Passed || c.Result == Failed }
	return slices.DeleteFunc(slices.Clone(v.Use.Checks), ran)
}

// Summary is the result in words, with the number of checks that ran if some did not: "proven (3 of 6 checks)".
func (v Verdict) Summary() string {
	if !v.Works() || len(v.Unchecked()) == 0 {
		return v.Result
	}
	return fmt.Sprintf("%s (%d of %d checks)", v.Result, v.Use.Ran(), len(v.Use.Checks))
}
