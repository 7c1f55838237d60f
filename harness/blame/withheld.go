package blame

import (
	"fmt"
	"slices"

	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// Withheld selects what root was refused since the place gives none of its services that right, and the machine may.
// The function withholds says so of a capability and a system call.
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

// Unknown proposes to give up what would refuse the service what the place withholds from it: what such a directive
// breaks cannot be seen in the place. It names every directive of the plan that may refuse the calls.
func (s Service) Unknown(withheld []witness.Denial, plan []Applied) []Proposal {
	var list []Proposal
	for _, d := range withheld {
		why := verdict.Evidence{
			Kind: "withheld", Text: fmt.Sprintf("%s without hardening too, since a place withholds it from every "+
				"service", d),
		}
		for _, r := range ifGranted(d) {
			for _, a := range s.suspects(r, plan) {
				list = append(list, s.relief(a, r, why))
			}
		}
	}
	return list
}

// ifGranted lists what could refuse a call that the place has refused.
func ifGranted(d witness.Denial) []witness.Restriction {
	var list []witness.Restriction
	for _, c := range d.Capabilities() {
		list = append(list, witness.Restriction{Kind: refusal.Capability, Subject: c})
	}
	d.Filtered = true
	return append(list, d.Restrictions()...)
}
