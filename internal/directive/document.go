package directive

import (
	"fmt"
	"strings"
)

//go:generate go run ./document ../../docs/directives.md

const documentHead = `# Directives

What a profile can set in [service], in the order in which drop-ins list them. This page is made from the table in
internal/directive by "go generate ./internal/directive".

A directive or value that the machine's systemd does not know is never written: the next weaker value that it knows is,
if there is one. What a unit forbids stays forbidden, whatever a profile says. A directive that the administrator sets
is left alone.
`

// Document returns the table as a page of Markdown, which is docs/directives.md.
func Document() string {
	var b strings.Builder
	b.WriteString(documentHead)
	for _, d := range table {
		fmt.Fprintf(&b, "\n## %s=\n\n%s\n\n", d.Name, d.Sentence())
		for _, f := range d.facts() {
			fmt.Fprintf(&b, "- %s\n", f)
		}
	}
	return b.String()
}

// Sentence says what the directive does, for people.
func (d *Directive) Sentence() string {
	if what, ok := strings.CutPrefix(d.Forbids, "nothing: "); ok {
		return strings.ToUpper(what[:1]) + what[1:] + "."
	}
	return "The service can no longer " + d.Forbids + "."
}

// facts lists the rest of the row.
func (d *Directive) facts() []string {
	facts := []string{"documented in " + d.Man}
	add := func(format string, args ...any) { facts = append(facts, fmt.Sprintf(format, args...)) }
	if d.Since > 0 {
		add("since systemd %d", d.Since)
	}
	if d.Ordered() {
		add("from weak to strong: %s", strings.Join(d.valueTexts(), ", "))
	}
	if d.Default != "" {
		add("default: %s", d.Default)
	}
	if len(d.Aliases) > 0 {
		add("older name: %s", strings.Join(d.Aliases, ", "))
	}
	add("merged with what the unit sets: %s", d.Rule())
	for _, e := range d.Implies {
		add("brings along %s=%s%s", e.Directive, e.Value, e.bounds())
	}
	if d.Filters {
		add(
			"brings along %s=%s%s, where the service starts without CAP_SYS_ADMIN, as with User=",
			filterNeeds.Directive,
			filterNeeds.Value,
			filterNeeds.bounds(),
		)
	}
	for _, e := range d.Widens {
		add("left out where the unit does not already allow %s=%s, which it would open", e.Directive, e.Value)
	}
	for _, x := range d.Clashes {
		add("left out where the unit sets %s=%s: systemd would not load the unit", x.Directive, x.Value)
	}
	for _, m := range d.Mounts {
		facts = append(facts, m.fact())
	}
	if d.Late {
		add("left out where the unit has DefaultDependencies=no")
	}
	for _, b := range d.Bypasses {
		upto := ""
		if b.Upto != "" {
			upto = " (up to " + b.Upto + ")"
		}
		add("does not bind a service%s where %s", upto, b.Why)
	}
	if d.Breaks != "" {
		add("usually breaks: %s", d.Breaks)
	}
	return facts
}

// fact says what a mount opens.
func (m Mount) fact() string {
	var opens []string
	if m.Writable {
		opens = append(opens, "writable")
	}
	if m.Executable {
		opens = append(opens, "executable")
	}
	text := fmt.Sprintf("mounts %s, which is %s", m.Path, strings.Join(opens, " and "))
	if m.Value != "" {
		text += " (" + m.Value + ")"
	}
	if m.Since > 0 {
		text += fmt.Sprintf(" since systemd %d", m.Since)
	}
	return text + ": left out where the unit closes what is above"
}

func (d *Directive) valueTexts() []string {
	var texts []string
	for _, v := range d.Values {
		text := v.Name
		if v.Since > d.Since {
			text += fmt.Sprintf(" (%d)", v.Since)
		}
		texts = append(texts, text)
	}
	return texts
}

// bounds says in which versions an effect holds.
func (e Effect) bounds() string {
	switch {
	case e.Since > 0:
		return fmt.Sprintf(" since systemd %d", e.Since)
	case e.Until > 0:
		return fmt.Sprintf(" up to systemd %d", e.Until)
	}
	return ""
}
