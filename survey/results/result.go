// Package results keeps what surveys find: a directory with a file for each package and for each of its service units.
// A file is written whole or not at all, so that several processes and machines can fill one directory.
//
// Start with [Dir]. [Merge] makes one directory of many, and [Summarize] counts.
package results

import (
	"time"

	"temper/internal/verdict"
)

// Schema is the version of the format. A change that readers have to know of raises it.
const Schema = 1

// Outcomes of a unit besides the results of a verdict.
const (
	TimedOut = "timed-out" // the limit of its package was over before it was decided
)

// Outcomes of a package.
const (
	Installed      = "installed"
	NotInAptSource = "unknown"         // the suite has no such package
	NotInstallable = "not-installable" // what it depends on cannot be had together
	InstallFailed  = "install-failed"  // one of its scripts failed
	NoService      = "no-service"      // it ships no service unit that can be started by its name
)

// A Package is what happened to one package.
type Package struct {
	Schema  int       `json:"schema"`
	Package string    `json:"package"`
	Version string    `json:"version"`
	Suite   string    `json:"suite"`
	Outcome string    `json:"outcome"` // one of the constants above
	Reason  string    `json:"reason,omitempty"`
	Log     []string  `json:"log,omitempty"` // the last lines of what failed
	Units   []string  `json:"units"`
	Inputs  string    `json:"inputs"` // digest of everything that the results depend on besides the package
	Machine Machine   `json:"machine"`
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
}

// A Unit is what was found out about one service unit of a package.
type Unit struct {
	Schema  int             `json:"schema"`
	Package string          `json:"package"`
	Version string          `json:"version"`
	Suite   string          `json:"suite"`
	Unit    string          `json:"unit"`
	Outcome string          `json:"outcome"` // the result of the verdict, or TimedOut
	Reason  string          `json:"reason,omitempty"`
	Cause   string          `json:"cause,omitempty"` // why it does not even run without hardening, in a word
	Log     []string        `json:"log,omitempty"`   // what it said when it did not run without hardening
	Base    bool            `json:"base"`            // no profile names it: it got a draft, or was tried with bases
	Draft   string          `json:"draft,omitempty"` // its text; the demotions are its steps down from the strictest base
	Setup   string          `json:"setup,omitempty"` // the setup that gave it a configuration
	Tests   []string        `json:"tests,omitempty"` // tests of the package that were checks
	Verdict verdict.Verdict `json:"verdict"`
	Machine Machine         `json:"machine"`
	Began   time.Time       `json:"began"`
	Seconds float64         `json:"seconds"`
}

// A Machine is where something was tried.
type Machine struct {
	Name    string `json:"name"`
	Kernel  string `json:"kernel"`
	Systemd int    `json:"systemd"` // of the suite
	Temper  string `json:"temper"`
}

// Shared returns the result without what the service logged or answered, so that it may be published.
func (u Unit) Shared() Unit {
	u.Reason, u.Log, u.Verdict = "", nil, u.Verdict.Shared()
	return u
}

// Shared returns the result without the log of what failed.
func (p Package) Shared() Package {
	p.Log = nil
	return p
}

// Works reports whether the unit works hardened.
func (u Unit) Works() bool { return u.Outcome == verdict.Proven || u.Outcome == Started }

// Started is the outcome of a unit that starts, stays and stops, and that nobody used.
const Started = verdict.Started

// Worse says why a result is worse than an older one; "" if it is not.
func (u Unit) Worse(old Unit) string {
	rank := func(u Unit) int {
		switch u.Outcome {
		case verdict.Proven:
			return 2
		case Started:
			return 1
		}
		return 0
	}
	switch {
	case rank(u) < rank(old):
		return u.Outcome + ", was " + old.Outcome
	case rank(u) == 0:
		return ""
	}
	return worseVerdict(u.Verdict, old.Verdict, rank(old) > 0)
}
