package output

import (
	"fmt"
	"slices"

	"temper/generator"
	"temper/internal/inforce"
	"temper/internal/plain"
	"temper/internal/verdict"
)

func score(e float64) string { return fmt.Sprintf("%.1f", e) }

// Decision prints the drop-in of a unit and why each directive is there, was demoted or left out, for people.
func (p Printer) Decision(d generator.Decision, s inforce.Service) error {
	p.Verbose = true
	p.line(0, "%s: %s", d.Unit, s.Why)
	if d.Profile == nil {
		return nil
	}
	p.line(0, "profile %s (%s), exposure %s now", d.Profile.Name, d.Profile.Path, score(s.Now))
	p.line(0, "decided by: %s (see temper.toml(5))", d.By)
	p.lastAttempt(s)
	if s.Command != "" {
		p.line(0, "next: %s", s.Command)
	}
	if d.Text != "" {
		p.print("\n%s\n", plain.Lines(d.Text))
	}
	p.unchecked(s.Verdict)
	if err := p.section(forbiddenHeading(d, s), forbidden(d)); err != nil {
		return err
	}
	if d.Hardens() && len(s.Demotions) > 0 {
		fmt.Fprintln(p.Out, "\nDemoted, because the service needs it:")
		for _, demotion := range s.Demotions {
			p.demotion(demotion)
		}
	}
	if d.Hardens() {
		if err := p.section("\nIn force, but does not bind it:", reasons(s.Bypassed)); err != nil {
			return err
		}
	}
	return p.section("\nLeft out:", reasons(s.LeftOut))
}

// reasons lists directives with what is said of each.
func reasons(list []verdict.LeftOut) (rows [][]string) {
	for _, l := range list {
		rows = append(rows, []string{l.Directive + "=", l.Reason})
	}
	return rows
}

// lastAttempt prints what has become of the last attempt to prove a unit, where that proved nothing.
func (p Printer) lastAttempt(s inforce.Service) {
	result, reason := s.Result, s.Reason
	if s.LastAttempt != nil {
		result, reason = s.LastAttempt.Result, s.LastAttempt.Reason
	}
	if reason == "" || s.LastAttempt == nil && s.Works() {
		return
	}
	p.line(0, "last attempt: %s: %s (its log: temper show %s --trials)", result, reason, s.Unit)
	for _, l := range s.Log {
		p.line(2, "log: %s", l)
	}
}

// forbiddenHeading heads what the directives of a plan take from the service, where they take it.
func forbiddenHeading(d generator.Decision, s inforce.Service) string {
	switch {
	case !d.Hardens():
		return "\nThe profile asks for this, and nothing of it applies:"
	case s.State == inforce.Hardened:
		return "It can no longer:"
	}
	return "From its next start it can no longer:"
}

// forbidden lists what the directives of a plan take from the service or, where the plan does not apply, only the
// directives.
func forbidden(d generator.Decision) (rows [][]string) {
	for _, i := range d.Plan.Items {
		if !i.Directive.Restricts() {
			continue
		}
		if !d.Hardens() {
			rows = append(rows, []string{i.Directive.Name + "=", fmt.Sprintf("%s:%d", i.From, i.Pos.Line)})
			continue
		}
		why := i.Directive.Forbids
		if i.Note != "" {
			why += " (" + i.Note + ")"
		}
		rows = append(rows, []string{i.Directive.Name + "=", fmt.Sprintf("%s:%d", i.From, i.Pos.Line), why})
	}
	return rows
}

// section prints indented rows below a heading, and nothing if there are no rows.
func (p Printer) section(heading string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	fmt.Fprintln(p.Out, heading)
	for i := range rows {
		rows[i] = slices.Clone(rows[i])
		rows[i][0] = "  " + rows[i][0]
	}
	return p.table(rows)
}

// Dropins prints the drop-ins that the generator writes, each below its file name.
func (p Printer) Dropins(decisions []generator.Decision) error {
	type dropin struct {
		Unit   string `json:"unit"`
		Path   string `json:"path"`
		Dropin string `json:"dropin"`
		Why    string `json:"why"`
	}
	list := []dropin{}
	for _, d := range decisions {
		list = append(list, dropin{d.Unit, d.Unit + ".d/" + generator.Dropin, d.Text, d.Why})
	}
	if p.Format == "json" {
		return p.JSON(list)
	}
	for _, d := range list {
		if d.Dropin == "" {
			p.Talk("%s: nothing: %s", d.Unit, d.Why)
			continue
		}
		p.print("== %s\n%s\n", d.Path, plain.Lines(d.Dropin))
	}
	return nil
}
