package verdict

import (
	"regexp"
	"slices"
)

// quotes has the kinds of evidence that quote the service, with what stays of them: the text up to the quote, which may
// have several lines. A kind without an expression is a quote as a whole.
var quotes = map[string]*regexp.Regexp{
	"log":   nil,                                  // a line of the log
	"check": regexp.MustCompile(`(?s)^(.*?\)): `), // "name (kind, phase): what it answered"
	// "logs an error that it does not log without hardening: the line", "logs what it does not log without hardening:
	// the line", and "socket answers a client, asked for something: the answer; without hardening: the answer"
	"baseline": regexp.MustCompile(`(?s)^(.*?(?:it does not log without hardening|answers a client, asked for .*?)): `),
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

// Packaged returns the verdict as a package ships it: Shared, and without what holds for one machine alone.
func (v Verdict) Packaged() Verdict {
	v = v.Shared()
	v.Fingerprint.Systemd, v.Fingerprint.Kernel, v.Seconds = 0, "", 0
	return v
}

func sharedEvidence(list []Evidence) []Evidence {
	kept := slices.Clone(list)[:0]
	for _, e := range list {
		before, quoting := quotes[e.Kind]
		if quoting && before == nil {
			continue
		}
		if quoting {
			if head := before.FindStringSubmatch(e.Text); head != nil {
				e.Text = head[1]
			}
		}
		kept = append(kept, e)
	}
	return kept
}
