// Package blame finds out which directives of a plan explain what went wrong in a launch.
//
// [Service.Causes] reads the evidence of a launch that failed and proposes steps down. [Service.Unnoticed] reads that
// of a launch that passed, for damage that no check noticed. Both are functions of what was seen, of the plan and of
// the directive table: they launch nothing, and of the machine they read only which files the service has.
package blame

import (
	"temper/harness/witness"
	"temper/internal/verdict"
)

// Seen is the evidence of one launch.
type Seen struct {
	Refused witness.Record // what the kernel refused it, and no launch without hardening; see [Service.New]
	// systemd's own name of its exit status, such as "NAMESPACE"; empty for a status of the service
	Exit    string
	Failure verdict.Evidence // the first failure
	Log     []string         // what it logged
}

// A complaint is one sign that something was refused, and what may have refused it, the likeliest first.
type complaint struct {
	restrictions []witness.Restriction
	evidence     verdict.Evidence
}

// Causes proposes the steps down that the evidence of a failed launch speaks for: what the kernel refused, or, where
// that says nothing, what systemd itself failed to set up, or the paths in the log. There are none where nothing is
// explained.
func (s Service) Causes(seen Seen, plan []Applied) []Proposal {
	if found := s.relieve(denied(seen.Refused), plan); len(found) > 0 {
		return found
	}
	if found := s.notSetUp(seen, plan); len(found) > 0 {
		return found
	}
	return s.relieve(s.logged(seen.Log), plan)
}

// New is what a launch was refused and no launch without hardening was, without what no launch would find.
func (s Service) New(refused witness.Record, baselines ...witness.Record) witness.Record {
	for _, b := range baselines {
		refused = refused.Minus(b)
	}
	return refused.Hidden(s.files.Root())
}

// denied are the complaints of the kernel's witness.
func denied(record witness.Record) []complaint {
	var list []complaint
	for _, d := range record.Denials {
		list = append(list, complaint{d.Restrictions(), verdict.Evidence{Kind: "refused", Text: d.String()}})
	}
	return list
}
