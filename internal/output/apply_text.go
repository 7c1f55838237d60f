package output

import (
	"fmt"
	"strings"

	"temper/internal/inforce"
)

// Restarts prints which services would be restarted, and why.
func (p Printer) Restarts(services []inforce.Service) error {
	var rows [][]string
	for _, s := range services {
		rows = append(rows, []string{s.Unit, statusText(s)})
	}
	return p.section(fmt.Sprintf("%s:", countOf(len(rows), "needs a restart", "need a restart")), rows)
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// An Applied is what became of a unit that was restarted, for people.
type Applied struct {
	Unit, Outcome, Reason string
	Good                  bool
	Passed, Aside, Log    []string
	Seconds               float64
}

// Applied prints what became of a unit that was restarted.
func (p Printer) Applied(r Applied) {
	if p.Format == "json" {
		return
	}
	color := green
	if !r.Good {
		color = red
	}
	text := ""
	if r.Seconds > 0 {
		text += fmt.Sprintf(" in %.1f s", r.Seconds)
	}
	if len(r.Passed) > 0 {
		text += fmt.Sprintf(", %s passed", plural(len(r.Passed), "check"))
	}
	if p.Brief {
		p.line(0, "%s: %s%s (temper show %[1]s)", r.Unit, p.in(color, r.Outcome), text)
		return
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	p.line(0, "%s: %s%s", r.Unit, p.in(color, r.Outcome), text)
	if len(r.Aside) > 0 {
		p.line(2, "failed before the restart too, and count for nothing: %s", strings.Join(r.Aside, ", "))
	}
	for _, l := range r.Log {
		p.line(2, "log: %s", l)
	}
}
