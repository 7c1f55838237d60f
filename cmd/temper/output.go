package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"temper/internal/verdict"
)

// printJSON prints a result as one JSON document.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table prints rows in aligned columns.
func (a *app) table(rows [][]string) error {
	w := tabwriter.NewWriter(a.out, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.TrimRight(strings.Join(r, "\t"), "\t"))
	}
	return w.Flush()
}

// printVerdict prints what was found out about a unit, for people.
func (a *app) printVerdict(v verdict.Verdict) {
	fmt.Fprintf(a.out, "%s: %s", v.Unit, v.Result)
	if v.Result == verdict.Proven {
		fmt.Fprintf(a.out, ", exposure %.1f -> %.1f, %d directives, %d demotions", v.Exposure.Before, v.Exposure.After,
			directives(v), len(v.Demotions))
	}
	fmt.Fprintf(a.out, " (profile %s, %d trials, %.1f s)\n", v.Profile, v.Trials, v.Seconds)
	if v.Reason != "" {
		fmt.Fprintf(a.out, "  %s\n", v.Reason)
	}
	a.printApplied(v.Applied)
	for _, d := range v.Demotions {
		a.printDemotion(d)
	}
	for _, e := range v.Advisories {
		fmt.Fprintf(a.out, "  advisory: %s: %s\n", e.Kind, e.Text)
	}
	for _, l := range v.Loose {
		fmt.Fprintf(a.out, "  %s: looser than necessary: this proof never needed %s of %s=", l.Pos, strings.Join(l.Names, ", "), l.Directive)
		if l.Profile != v.Profile {
			fmt.Fprintf(a.out, ", which %s takes over from %s", v.Profile, l.Profile)
		}
		fmt.Fprintf(a.out, "\n    right would be: %s\n", l.Right)
	}
}

// width is where lines for people are broken.
const width = 120

// printApplied prints the assignments of a drop-in as a paragraph.
func (a *app) printApplied(list []verdict.Applied) {
	line := "  applied"
	for _, x := range list {
		word := " " + x.Directive + "=" + x.Value
		if len(line)+len(word) > width {
			fmt.Fprintln(a.out, line)
			line = "   "
		}
		line += word
	}
	if len(list) > 0 {
		fmt.Fprintln(a.out, line)
	}
}

func (a *app) printDemotion(d verdict.Demotion) {
	fmt.Fprintf(a.out, "  demoted %s= from %s to %s: %s\n", d.Directive, short(d.From), short(d.To), d.Reason)
	for _, e := range d.Evidence {
		fmt.Fprintf(a.out, "    %s: %s\n", e.Kind, e.Text)
	}
}

// short is the assignments of a directive on one line.
func short(lines string) string {
	if lines == "" {
		return "nothing"
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(lines, "\n", "; ")), " ")
}

// directives counts the directives of a drop-in, each once however many assignments it has.
func directives(v verdict.Verdict) int {
	names := map[string]bool{}
	for _, a := range v.Applied {
		names[a.Directive] = true
	}
	return len(names)
}
