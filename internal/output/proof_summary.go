package output

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"temper/internal/plain"
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
		p.Talk("what is proven takes effect when a service starts again; now: %s",
			strings.TrimSpace("sudo temper apply "+few(proven)))
	}
	if len(others) > 0 {
		why := "temper status"
		if few(others) != "" {
			why = "temper show " + few(others) + " --trials"
		}
		p.Talk("why not: %s", why)
	}
}

// Talk prints a message, wrapped where it goes to a terminal. Its arguments become plain.
func (p Printer) Talk(format string, args ...any) {
	plain.Args(args)
	width := 0
	if p.terminal() {
		width = p.columns()
	}
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintln(p.Err, wrap("", line, width))
	}
}

// few lists units for a command line; it is empty where they are many, and the command is to find them itself.
func few(units []string) string {
	const most = 4
	if len(units) > most {
		return ""
	}
	return strings.Join(units, " ")
}
