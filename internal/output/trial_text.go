package output

import (
	"fmt"

	"temper/internal/verdict"
)

// Trials prints the log of every trial of a proof, for people.
func (p Printer) Trials(unit string, trials []verdict.Trial) {
	for _, t := range trials {
		end := "ok"
		if !t.OK {
			end = "failed"
		}
		fmt.Fprintf(p.Out, "== %s, trial %d: %s, %.1f s\n", unit, t.Number, end, t.Seconds)
		if t.Dropin == "" {
			fmt.Fprintln(p.Out, "baseline, no drop-in")
		} else {
			fmt.Fprint(p.Out, t.Dropin)
		}
		for _, l := range t.Log {
			fmt.Fprintf(p.Out, "log: %s\n", l)
		}
		for _, e := range t.Failures {
			fmt.Fprintf(p.Out, "failed: %s: %s\n", e.Kind, e.Text)
		}
		for _, e := range t.Warnings {
			fmt.Fprintf(p.Out, "noticed: %s: %s\n", e.Kind, e.Text)
		}
		for _, r := range t.Refused {
			fmt.Fprintf(p.Out, "refused: %s\n", r)
		}
		fmt.Fprintln(p.Out)
	}
}
