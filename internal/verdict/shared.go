package verdict

import (
	"slices"
	"strings"
)

// quotes has the kinds of evidence that quote the service, with the text after which the quote begins; "" if all of the
// evidence is a quote.
var quotes = map[string]string{
	"log":   "",    // a line of the log
	"check": "): ", // "name (kind, phase): what it answered"
	// "logs an error that it does not log without hardening: the line"
	"baseline": "it does not log without hardening: ",
}

// Shared returns the verdict without what the service logged or answered, so that it may leave the machine. It has no
// Reason either, since the reason of a verdict that is not proven quotes the service.
func (v Verdict) Shared() Verdict {
	v.Reason = ""
	v.LastAttempt = nil
	v.Advisories = sharedEvidence(v.Advisories)
	if v.Use != nil {
		use := *v.Use
		use.Checks = slices.Clone(use.Checks)
		for i := range use.Checks {
			use.Checks[i].Reason = ""
		}
		v.Use = &use
	}
	v.Demotions = slices.Clone(v.Demotions)
	for i, d := range v.Demotions {
		v.Demotions[i].Evidence = sharedEvidence(d.Evidence)
	}
	return v
}

func sharedEvidence(list []Evidence) []Evidence {
	kept := slices.Clone(list)[:0]
	for _, e := range list {
		begin, quoting := quotes[e.Kind]
		if quoting && begin == "" {
			continue
		}
		if head, _, found := strings.Cut(e.Text, begin); quoting && found {
			e.Text = head + strings.TrimRight(begin, ": ")
		}
		kept = append(kept, e)
	}
	return kept
}
