// Package verdict stores the verdicts that the harness writes and the generator reads. A verdict is what was found out
// about one unit under one profile, with the drop-in that was proven.
//
// A [Verdict] holds for its [Fingerprint]; if this no longer matches the machine, the verdict is stale and the unit has
// to be proven again. The JSON form of a Verdict is what `temper prove`, `show` and `status` print with --format json.
package verdict

import "strings"

// Results of proving a unit.
const (
	Proven         = "proven"          // it was used, and did what it does without hardening
	Started        = "started"         // it starts, stays and stops as without hardening, and nobody used it
	Broken         = "broken"          // it did not start hardened on this machine, even if its trials passed
	BrokenBaseline = "broken-baseline" // it does not run even without hardening, so nothing is known
	Flaky          = "flaky"           // trials of the same drop-in disagreed
	Revoked        = "revoked"         // a person has said that nothing is to be applied, until a person has it proven
	Inconclusive   = "inconclusive"    // the harness could not decide; Reason says why
)

// Schema is the number of the format in which this temper writes verdicts; 0.1.0 wrote none, which is 0. It grows when
// what a key means changes. A key that is added changes nothing: whoever does not know it ignores it.
const Schema = 1

// A Verdict is what was found out about one unit.
type Verdict struct {
	Schema      int         `json:"schema"` // the format in which it was stored
	Unit        string      `json:"unit"`
	Profile     string      `json:"profile"`
	Draft       bool        `json:"draft,omitempty"` // the profile was a draft, of which nothing was applied
	Result      string      `json:"verdict"`         // one of the constants above
	Reason      string      `json:"reason,omitempty"`
	Place       string      `json:"place"`   // "container" or "host"
	Systemd     int         `json:"systemd"` // major version in the place
	Exposure    Exposure    `json:"exposure"`
	Applied     []Applied   `json:"applied"`
	Demotions   []Demotion  `json:"demotions"`
	LeftOut     []LeftOut   `json:"left_out"`
	Bypassed    []LeftOut   `json:"bypassed,omitempty"` // what is in force and does not bind the service, and why
	Advisories  []Evidence  `json:"advisories"`
	Loose       []Loose     `json:"loose,omitempty"` // only if the user asked for it
	Use         *Use        `json:"use,omitempty"`   // how much of the service was used; nil in a verdict of 0.1.0
	Dropin      string      `json:"dropin"`          // the exact text that the generator writes
	Trials      int         `json:"trials"`
	Seconds     float64     `json:"seconds"`
	Stale       bool        `json:"stale"`
	StaleReason string      `json:"stale_reason,omitempty"`
	Fingerprint Fingerprint `json:"fingerprint"`
	LastAttempt *Attempt    `json:"last_attempt,omitempty"` // the last attempt to prove the unit again, if it failed
	Changes     []Change    `json:"-"`                      // what made it stale
	NoCopy      bool        `json:"-"`                      // a package brought it and this machine has no copy of it
	Tried       bool        `json:"-"`                      // the last attempt tried the unit as it is now
}

// Newer reports whether a newer temper has written the verdict. It applies, and only a person replaces it.
func (v Verdict) Newer() bool { return v.Schema > Schema }

// An Attempt is a proof with another result than proven. It does not replace a proven verdict but is stored in it.
type Attempt struct {
	Result      string      `json:"verdict"` // any but Proven
	Reason      string      `json:"reason,omitempty"`
	Fingerprint Fingerprint `json:"fingerprint"`
}

// Attempted reports whether the last attempt failed to prove the unit as it is now.
func (v Verdict) Attempted(now Fingerprint) bool {
	return v.LastAttempt != nil && len(v.LastAttempt.Fingerprint.Changes(now)) == 0
}

// Exposure is the score of systemd-analyze security, 0.0 to 10.0, without and with the drop-in.
type Exposure struct {
	Before float64 `json:"before"`
	After  float64 `json:"after"`
}

// Applied is one assignment of the drop-in.
type Applied struct {
	Directive string `json:"directive"`
	Value     string `json:"value"`
}

// LeftOut is a directive that the profile sets and the drop-in does not, or that does not bind the service, and why.
type LeftOut struct {
	Directive string `json:"directive"`
	Reason    string `json:"reason"`
}

// Loose is a setting of a profile that allows more than the proof needed: without these names nothing failed, and the
// kernel refused nothing more to the service. Another configuration, or something that no check does, may still need
// them.
type Loose struct {
	Pos       string   `json:"pos"`     // where the profile or a base sets it: "path:line"
	Profile   string   `json:"profile"` // the profile that sets it
	Directive string   `json:"directive"`
	Names     []string `json:"names"` // what was not needed
	Right     string   `json:"right"` // the line that would be right
}

// A Demotion is one step down from what a profile asks for. From and To are the assignments of the directive, one in
// each line, or [Off].
type Demotion struct {
	Directive string     `json:"directive"`
	From      string     `json:"from"`
	To        string     `json:"to"`
	Reason    string     `json:"reason"`
	Evidence  []Evidence `json:"evidence"`
	Checks    []string   `json:"checks,omitempty"` // the checks that fail without it
}

// Off is the To of a demotion that leaves the directive out.
const Off = "off"

// Evidence is one observation: a failed check, a line of the log, an exit status, a refused system call.
type Evidence struct {
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Join returns the assignments of a directive in the form that a [Demotion] has.
func Join(lines []string) string {
	if lines == nil {
		return Off
	}
	return strings.Join(lines, "\n")
}

// Lines returns the assignments that the demotion leaves; nil if the directive is off.
func (d Demotion) Lines() []string {
	if d.To == Off {
		return nil
	}
	return strings.Split(d.To, "\n")
}
