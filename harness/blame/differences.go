package blame

import (
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"temper/harness/observe"
	"temper/harness/witness"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// Explains reports whether a refusal tells why a launch differs from those without hardening: it has the error that is
// logged, or is about the file that differs. None tells why a file has another content.
func Explains(refused witness.Record, d observe.Difference) bool {
	return slices.ContainsFunc(refused.Denials, func(r witness.Denial) bool {
		logged := d.Line != "" && strings.Contains(strings.ToLower(d.Line), errorText(r.Errno))
		about := func(name string) bool {
			near := host.Below(name, d.Path) || host.Below(d.Path, name)
			return d.Path != "" && d.Kind != observe.FileContent && name != "" && near
		}
		return logged || about(r.Path) || about(r.To)
	})
}

// errorText is what strerror(3) says of an error, in lower case; its name if it is not known.
func errorText(name string) string {
	const most = 133 // EHWPOISON
	for n := syscall.Errno(1); n <= most; n++ {
		if unix.ErrnoName(n) == name {
			return strings.ToLower(n.Error())
		}
	}
	return name
}

// differenceSymptoms are the symptoms in the differences from the launches without hardening: what differs at a path
// may be caused by the directives that change that path. What else differs names no cause.
func differenceSymptoms(list []observe.Difference) []symptom {
	kinds := map[observe.Kind][]refusal.Kind{
		observe.Mounted:     {refusal.MountHidden},
		observe.FileMissing: {refusal.PathHidden, refusal.PathReadOnly},
		observe.FileMode:    {refusal.FileMode, refusal.SetuidBit},
	}
	var symptoms []symptom
	for _, d := range list {
		s := symptom{evidence: verdict.Evidence{Kind: "baseline", Text: d.Text}}
		for _, kind := range kinds[d.Kind] {
			s.restrictions = append(s.restrictions, witness.Restriction{Kind: kind, Subject: d.Path})
		}
		symptoms = append(symptoms, s)
	}
	return symptoms
}
