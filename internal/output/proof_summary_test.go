package output

import (
	"bytes"
	"testing"

	"temper/internal/verdict"
)

func TestProofSummary(t *testing.T) {
	of := func(result string, units ...string) (list []verdict.Verdict) {
		for _, u := range units {
			list = append(list, verdict.Verdict{Unit: u, Result: result})
		}
		return list
	}
	for _, tt := range []struct {
		name     string
		verdicts []verdict.Verdict
		when     When
		want     string
	}{
		{
			"one", of(verdict.Proven, "a"), WhenStarted,
			"what is proven takes effect when a service starts again; now: sudo temper apply a\n",
		},
		{
			"many", append(of(verdict.Proven, "a", "b", "c", "d", "e"), of(verdict.Flaky, "f")...), WhenStarted,
			"5 proven, 1 flaky\nwhat is proven takes effect when a service starts again; now: sudo temper apply\n" +
				"why not: temper show f --trials\n",
		},
		{
			"an image", of(verdict.Proven, "a"), AtNextBoot,
			"what is proven takes effect at the next boot of that root\n",
		},
		{"kept elsewhere", of(verdict.Proven, "a"), Never, ""},
		{"none", nil, WhenStarted, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var talk bytes.Buffer
			(Printer{Err: &talk, Format: "text"}).ProofSummary(tt.verdicts, tt.when)
			if talk.String() != tt.want {
				t.Errorf("%q, want %q", talk.String(), tt.want)
			}
		})
	}
}
