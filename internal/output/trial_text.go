package output

import (
	"temper/internal/plain"
	"temper/internal/verdict"
)

// Trials prints the log of every trial of a proof, for people.
func (p Printer) Trials(unit string, trials []verdict.Trial) {
	for _, t := range trials {
		end := "ok"
		if !t.OK {
			end = "failed"
		}
		p.print("== %s, trial %d: %s, %.1f s\n", unit, t.Number, end, t.Seconds)
		if t.Dropin == "" {
			p.print("baseline, no drop-in\n")
		} else {
			p.print("%s", plain.Lines(t.Dropin))
		}
		for _, l := range t.Log {
			p.print("log: %s\n", l)
		}
		for _, e := range t.Failures {
			p.print("failed: %s: %s\n", e.Kind, e.Text)
		}
		for _, e := range t.Warnings {
			p.print("noticed: %s: %s\n", e.Kind, e.Text)
		}
		for _, r := range t.Refused {
			p.print("refused: %s\n", r)
		}
		p.print("\n")
	}
}
