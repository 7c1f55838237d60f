package output

import (
	"cmp"
	"fmt"
	"slices"

	"temper/generator"
	"temper/internal/verdict"
	"temper/profiles"
)

// Status prints a table of what is known about units; verdicts[i] belongs to decisions[i].
func (p Printer) Status(decisions []generator.Decision, verdicts []verdict.Verdict) error {
	if p.Format == "json" {
		return p.JSON(verdicts)
	}
	rows := [][]string{{"UNIT", "PROFILE", "VERDICT", "BEFORE", "AFTER", "DEMOTIONS", "AT BOOT"}}
	for i, v := range verdicts {
		rows = append(rows, []string{
			v.Unit, cmp.Or(v.Profile, "-"), cmp.Or(stateOf(v), "-"), score(v.Exposure.Before), score(v.Exposure.After),
			fmt.Sprint(len(v.Demotions)),
			decisions[i].Why,
		})
	}
	return p.table(rows)
}

func stateOf(v verdict.Verdict) string {
	if v.Stale {
		return v.Result + ", stale"
	}
	return v.Result
}

func score(e float64) string { return fmt.Sprintf("%.1f", e) }

// Decision prints the drop-in of a unit and why each directive is there, was demoted or left out, for people.
func (p Printer) Decision(d generator.Decision, v verdict.Verdict) error {
	fmt.Fprintf(p.Out, "%s: %s\n", d.Unit, d.Why)
	if d.Profile == nil {
		return nil
	}
	fmt.Fprintf(
		p.Out,
		"profile %s (%s), exposure %.1f -> %.1f\n",
		d.Profile.Name,
		d.Profile.Path,
		v.Exposure.Before,
		v.Exposure.After,
	)
	p.lastAttempt(v)
	if d.Text != "" {
		fmt.Fprintf(p.Out, "\n%s\n", d.Text)
	}
	if err := p.section("It can no longer:", forbidden(d.Plan)); err != nil {
		return err
	}
	if len(v.Demotions) > 0 {
		fmt.Fprintln(p.Out, "\nDemoted, because the service needs it:")
	}
	for _, demotion := range v.Demotions {
		p.demotion(demotion)
	}
	var leftOut [][]string
	for _, l := range v.LeftOut {
		leftOut = append(leftOut, []string{l.Directive + "=", l.Reason})
	}
	return p.section("\nLeft out:", leftOut)
}

// lastAttempt prints what has become of the last attempt to prove a unit, where that proved nothing.
func (p Printer) lastAttempt(v verdict.Verdict) {
	result, reason := v.Result, v.Reason
	if v.LastAttempt != nil {
		result, reason = v.LastAttempt.Result, v.LastAttempt.Reason
	}
	if reason != "" {
		fmt.Fprintf(p.Out, "last attempt: %s: %s (its log: temper show %s --trials)\n", result, reason, v.Unit)
	}
}

// forbidden lists what the directives of a plan take from the service.
func forbidden(plan generator.Plan) (rows [][]string) {
	for _, i := range plan.Items {
		if !i.Directive.Restricts() {
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
			fmt.Fprintf(p.Err, "%s: nothing: %s\n", d.Unit, d.Why)
			continue
		}
		fmt.Fprintf(p.Out, "== %s\n%s\n", d.Path, d.Dropin)
	}
	return nil
}

// Findings prints what is wrong with profiles.
func (p Printer) Findings(findings []profiles.Finding) error {
	if p.Format == "json" {
		return p.JSON(findings)
	}
	for _, f := range findings {
		fmt.Fprintf(p.Out, "%s [%s]\n", f.Error(), f.ID)
	}
	return nil
}
