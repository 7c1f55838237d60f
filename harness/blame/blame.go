// Package blame finds out which directives of a plan explain what went wrong in a launch.
//
// [Service.Causes] reads the evidence of a failed launch and proposes steps down. [Service.Unnoticed] reads the
// evidence of a launch that passed, for damage that no check noticed. Both decide by the evidence, the plan and the
// table of directives. They launch nothing, and read nothing from the machine but which files the service has.
package blame

import (
	"slices"

	"temper/harness/observe"
	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// Seen is the evidence of one launch.
type Seen struct {
	Refused witness.Record   // what the kernel refused in this launch only; see [Service.NewRefusals]
	Exit    string           // systemd's name of the exit status, such as "NAMESPACE"; empty if the service chose it
	Failure verdict.Evidence // the first failure
	Log     []string         // what the service logged

	Differences []observe.Difference // from the launches without hardening
}

// A symptom is a sign that something was refused, with the restrictions that may have caused it, the likeliest first.
type symptom struct {
	restrictions []witness.Restriction
	together     int // how many of the first of them are causes at once
	evidence     verdict.Evidence
}

// Causes proposes steps down that the evidence of a failed launch suggests. It reads what the kernel refused; if that
// explains nothing, what systemd failed to set up; then what differs from the launches without hardening; and last the
// paths in the log. It proposes nothing if there is no explanation.
func (s Service) Causes(seen Seen, plan []Applied) []Proposal {
	if found := s.proposals(s.deniedSymptoms(seen.Refused), plan); len(found) > 0 {
		return append(found, s.nextProposals(seen.Refused, plan)...)
	}
	if found := s.setupProposals(seen, plan); len(found) > 0 {
		return found
	}
	if found := s.proposals(differenceSymptoms(seen.Differences), plan); len(found) > 0 {
		return found
	}
	return s.proposals(s.loggedSymptoms(seen.Log), plan)
}

// NewRefusals returns what was refused in a launch and in no launch without hardening. It leaves out files that do not
// exist, which no launch would find.
func (s Service) NewRefusals(refused witness.Record, baselines ...witness.Record) witness.Record {
	for _, b := range baselines {
		refused = refused.Minus(b)
	}
	return refused.Hidden(s.files.Root())
}

// deniedSymptoms are the symptoms that the witness has recorded.
func (s Service) deniedSymptoms(record witness.Record) []symptom {
	var list []symptom
	for _, d := range record.Denials {
		list = append(list, s.denied(d))
	}
	return list
}

// denied is the symptom that a call was refused. A call that asks for several capabilities at once fails for each.
func (s Service) denied(d witness.Denial) symptom {
	found := symptom{
		restrictions: d.Restrictions(), together: len(d.Wanted().Names()),
		evidence: verdict.Evidence{Kind: "refused", Text: d.String()},
	}
	if file := s.absolute(d.Path); d.Errno == "EACCES" && !d.Filtered && file != "" && !s.existedAtStart(file) {
		made := witness.Restriction{Kind: refusal.FileMode, Subject: file}
		if d.Root { // for whom modes do not count while it has its capabilities
			found.restrictions = append(found.restrictions, made)
		} else {
			found.restrictions = slices.Insert(found.restrictions, 0, made)
		}
	}
	return found
}
