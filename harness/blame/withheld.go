package blame

import (
	"fmt"
	"slices"

	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// Withheld selects the denials of root that the place causes and the machine may not. The function withholds reports
// whether the place refuses its root a system call in spite of a capability.
func Withheld(r witness.Record, withholds func(capability, call string) bool) []witness.Denial {
	var list []witness.Denial
	for _, d := range r.Denials {
		if d.Root && !d.Filtered &&
			slices.ContainsFunc(d.Capabilities(), func(c string) bool { return withholds(c, d.Syscall) }) {
			list = append(list, d)
		}
	}
	return list
}

// Untestable proposes to turn off every directive of the plan that may refuse what the place withholds anyway: the
// place cannot show what such a directive breaks.
func (s Service) Untestable(withheld []witness.Denial, plan []Applied) []Proposal {
	var list []Proposal
	for _, d := range withheld {
		why := verdict.Evidence{
			Kind: "withheld",
			Text: fmt.Sprintf("%s without hardening too, since a place withholds it from every service", d),
		}
		for _, r := range refusersIfGranted(d) {
			for _, a := range s.suspects(r, plan) {
				list = append(list, s.proposal(a, r, why))
			}
		}
	}
	return list
}

// refusersIfGranted lists the restrictions that could refuse a call if the place did not.
func refusersIfGranted(d witness.Denial) []witness.Restriction {
	var list []witness.Restriction
	for _, c := range d.Capabilities() {
		list = append(list, witness.Restriction{Kind: refusal.Capability, Subject: c})
	}
	d.Filtered = true
	return append(list, d.Restrictions()...)
}
