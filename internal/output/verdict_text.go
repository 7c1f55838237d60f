package output

import (
	"fmt"
	"regexp"
	"strings"

	"temper/internal/plain"
	"temper/internal/verdict"
)

// line prints a line of text after an indent, wrapped at whole words. Its arguments become plain.
func (p Printer) line(indent int, format string, args ...any) {
	plain.Args(args)
	fmt.Fprintln(p.Out, wrap(strings.Repeat(" ", indent), fmt.Sprintf(format, args...), p.width()))
}

// verdict prints the verdict on a unit for people.
func (p Printer) verdict(v verdict.Verdict) {
	text := ""
	if v.Works() {
		text = fmt.Sprintf(", exposure %.1f -> %.1f, %s, %s", v.Exposure.Before, v.Exposure.After,
			plural(directives(v), "directive"), plural(len(v.Demotions), "demotion"))
	}
	p.line(0, "%s: %s%s (profile %s, %s, %.1f s)", v.Unit, p.coloredResult(v), text, v.Profile,
		plural(v.Trials, "trial"), v.Seconds)
	if p.Brief {
		p.line(2, "why: temper show %s", v.Unit)
		return
	}
	if v.Reason != "" {
		p.line(2, "%s", v.Reason)
	}
	if p.Verbose {
		p.applied(v.Applied)
	}
	p.unchecked(v)
	p.unusedGrants(v)
	for _, d := range v.Demotions {
		p.demotion(d)
	}
	for _, b := range v.Bypassed {
		p.line(2, "in force, but does not bind the service: %s=: %s", b.Directive, b.Reason)
	}
	for _, e := range alike(v.Advisories) {
		p.line(2, "advisory: %s: %s", e.Kind, e.Text)
	}
	for _, l := range v.Loose {
		text := fmt.Sprintf("%s: looser than necessary: this proof never needed %s of %s=",
			l.Pos, strings.Join(l.Names, ", "), l.Directive)
		if l.Profile != v.Profile {
			text += fmt.Sprintf(", which %s takes over from %s", v.Profile, l.Profile)
		}
		p.line(2, "%s", text)
		p.line(4, "right would be: %s", l.Right)
	}
}

// varying matches what differs between observations that say the same: directives, numbers and quoted text.
var varying = regexp.MustCompile(`\b[A-Z][A-Za-z]+=|\d+|"[^"]*"|'[^']*'`)

// alike returns observations without those that say the same as an earlier one, which counts them.
func alike(list []verdict.Evidence) []verdict.Evidence {
	var first []verdict.Evidence
	more, at := map[int]int{}, map[string]int{}
	for _, e := range list {
		key := e.Kind + "\x00" + varying.ReplaceAllString(e.Text, "")
		if i, seen := at[key]; seen {
			more[i]++
			continue
		}
		at[key] = len(first)
		first = append(first, e)
	}
	for i, n := range more {
		first[i].Text += fmt.Sprintf(" (and %d more like this; all: --format json)", n)
	}
	return first
}

// unchecked prints which checks did not run or were set aside, and why.
func (p Printer) unchecked(v verdict.Verdict) {
	for _, c := range v.Unchecked() {
		what := "did not run"
		if c.Result == verdict.SetAside {
			what = "is set aside, since it fails without hardening too"
		}
		p.line(2, "check %q %s%s", c.Name, what, after(": ", c.Reason))
	}
}

// unusedGrants prints how much of what the vendor's unit grants by name trials made use of, and of what not.
func (p Printer) unusedGrants(v verdict.Verdict) {
	if v.Use == nil || len(v.Use.Unused()) == 0 {
		return
	}
	var list []string
	for _, g := range v.Use.Unused() {
		list = append(list, fmt.Sprintf("%s (%s=)", g.Name, g.Directive))
	}
	p.line(2, "trials made use of %d of the %d things that the vendor's unit grants by name, and were not seen to use %s",
		len(v.Use.Grants)-len(list), len(v.Use.Grants), strings.Join(list, ", "))
}

// after returns text after a mark; nothing if there is no text.
func after(mark, text string) string {
	if text == "" {
		return ""
	}
	return mark + text
}

// applied prints the assignments of a drop-in as a paragraph.
func (p Printer) applied(list []verdict.Applied) {
	var words []string
	for _, x := range list {
		words = append(words, x.Directive+"="+x.Value)
	}
	if len(words) > 0 {
		p.line(2, "applied %s", strings.Join(words, " "))
	}
}

func (p Printer) demotion(d verdict.Demotion) {
	p.line(2, "demoted %s= from %s to %s: %s", d.Directive, p.folded(d.From), p.folded(d.To), d.Reason)
	for _, e := range d.Evidence {
		p.line(4, "%s: %s", e.Kind, e.Text)
	}
}

// Short returns the assignments of a directive on one line.
func Short(lines string) string {
	if lines == "" {
		return "nothing"
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(lines, "\n", "; ")), " ")
}

// folded is Short, with no more than the first words of a long list.
func (p Printer) folded(lines string) string {
	const most = 6
	words := strings.Fields(Short(lines))
	if p.Verbose || len(words) <= most+1 {
		return Short(lines)
	}
	return fmt.Sprintf("%s and %d more", strings.TrimRight(strings.Join(words[:most], " "), ";"), len(words)-most)
}

// directives returns the number of directives in a drop-in. A directive with several assignments counts once.
func directives(v verdict.Verdict) int {
	names := map[string]bool{}
	for _, a := range v.Applied {
		names[a.Directive] = true
	}
	return len(names)
}
