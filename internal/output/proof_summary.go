package output

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"temper/internal/verdict"
)

// When says when what was proven takes effect.
type When int

// The times at which proofs take effect.
const (
	Never       When = iota // the verdicts are kept elsewhere
	AtNextBoot              // in the root of another machine
	WhenStarted             // on this machine
)

// ProofSummary says after all proofs what they came to, when that takes effect, and what to type.
func (p Printer) ProofSummary(verdicts []verdict.Verdict, when When) {
	if p.Format != "text" || len(verdicts) == 0 {
		return
	}
	count := map[string]int{}
	var proven, others []string
	for _, v := range verdicts {
		count[v.Result]++
		if v.Result == verdict.Proven {
			proven = append(proven, v.Unit)
		} else {
			others = append(others, v.Unit)
		}
	}
	if len(verdicts) > 1 {
		var parts []string
		for _, result := range []string{
			verdict.Proven, verdict.Started, verdict.BrokenBaseline, verdict.Flaky, verdict.Inconclusive,
		} {
			if n := count[result]; n > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n, result))
				delete(count, result)
			}
		}
		for _, result := range slices.Sorted(maps.Keys(count)) {
			parts = append(parts, fmt.Sprintf("%d %s", count[result], result))
		}
		p.Talk("%s", strings.Join(parts, ", "))
	}
	switch {
	case len(proven) == 0 || when == Never:
	case when == AtNextBoot:
		p.Talk("what is proven takes effect at the next boot of that root")
	default:
		p.Talk("what is proven takes effect when a service starts again; now: sudo temper apply %s", few(proven))
	}
	if len(others) > 0 {
		p.Talk("why not: temper show %s --trials", few(others))
	}
}

// Talk prints a message, wrapped where it goes to a terminal.
func (p Printer) Talk(format string, args ...any) {
	width := 0
	if p.terminal() {
		width = p.columns()
	}
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintln(p.Err, wrap("", line, width))
	}
}

// few lists a few units; it is empty where there are many, since the command then means all.
func few(units []string) string {
	const most = 4
	if len(units) > most {
		return strings.Join(units[:most], " ") + " ..."
	}
	return strings.Join(units, " ")
}
