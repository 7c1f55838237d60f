package blame

import (
	"temper/harness/observe"
	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

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
