package output

import (
	"fmt"
	"strings"

	"temper/internal/verdict"
)

// verdict prints the verdict on a unit for people.
func (p Printer) verdict(v verdict.Verdict) {
	fmt.Fprintf(p.Out, "%s: %s", v.Unit, v.Result)
	if v.Result == verdict.Proven {
		fmt.Fprintf(p.Out, ", exposure %.1f -> %.1f, %d directives, %d demotions", v.Exposure.Before, v.Exposure.After,
			directives(v), len(v.Demotions))
	}
	fmt.Fprintf(p.Out, " (profile %s, %d trials, %.1f s)\n", v.Profile, v.Trials, v.Seconds)
	if v.Reason != "" {
		fmt.Fprintf(p.Out, "  %s\n", v.Reason)
	}
	p.applied(v.Applied)
	for _, d := range v.Demotions {
		p.demotion(d)
	}
	for _, e := range v.Advisories {
		fmt.Fprintf(p.Out, "  advisory: %s: %s\n", e.Kind, e.Text)
	}
	for _, l := range v.Loose {
		fmt.Fprintf(
			p.Out,
			"  %s: looser than necessary: this proof never needed %s of %s=",
			l.Pos,
			strings.Join(l.Names, ", "),
			l.Directive,
		)
		if l.Profile != v.Profile {
			fmt.Fprintf(p.Out, ", which %s takes over from %s", v.Profile, l.Profile)
		}
		fmt.Fprintf(p.Out, "\n    right would be: %s\n", l.Right)
	}
}

// width is the column at which text for people is broken.
const width = 120

// applied prints the assignments of a drop-in as a paragraph.
func (p Printer) applied(list []verdict.Applied) {
	line := "  applied"
	for _, x := range list {
		word := " " + x.Directive + "=" + x.Value
		if len(line)+len(word) > width {
			fmt.Fprintln(p.Out, line)
			line = "   "
		}
		line += word
	}
	if len(list) > 0 {
		fmt.Fprintln(p.Out, line)
	}
}

func (p Printer) demotion(d verdict.Demotion) {
	fmt.Fprintf(p.Out, "  demoted %s= from %s to %s: %s\n", d.Directive, Short(d.From), Short(d.To), d.Reason)
	for _, e := range d.Evidence {
		fmt.Fprintf(p.Out, "    %s: %s\n", e.Kind, e.Text)
	}
}

// Short returns the assignments of a directive on one line.
func Short(lines string) string {
	if lines == "" {
		return "nothing"
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(lines, "\n", "; ")), " ")
}

// directives returns the number of directives in a drop-in. A directive with several assignments counts once.
func directives(v verdict.Verdict) int {
	names := map[string]bool{}
	for _, a := range v.Applied {
		names[a.Directive] = true
	}
	return len(names)
}
