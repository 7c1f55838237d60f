package export

import (
	"cmp"
	"fmt"
	"strings"

	"temper/internal/plain"
	"temper/internal/verdict"
)

// A note is a sentence for people, with the evidence behind it.
type note struct {
	text     string
	evidence []string
}

// columns is the width of comments and messages.
const columns = 100

// write writes the note below a prefix, such as "# ", and evidence indented below it.
func (n note) write(b *strings.Builder, prefix string) {
	for _, line := range wrap(n.text, columns-len(prefix)) {
		fmt.Fprintf(b, "%s%s\n", prefix, line)
	}
	for _, e := range n.evidence {
		for _, line := range wrap(e, columns-len(prefix)-4) {
			fmt.Fprintf(b, "%s    %s\n", prefix, line)
		}
	}
}

// wrap breaks a text into lines of plain words: a control character could end a comment.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		word = plain.Line(word)
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// demoted says from what a directive was demoted, to what and why.
func demoted(d verdict.Demotion) note {
	n := note{text: fmt.Sprintf("%s=%s breaks the service: %s.", d.Directive, oneLine(d.From), d.Reason)}
	for _, e := range d.Evidence {
		n.evidence = append(n.evidence, e.Kind+": "+e.Text)
	}
	return n
}

func oneLine(lines string) string { return strings.ReplaceAll(lines, "\n", "; ") }

// note says why a group is there.
func (h Hardening) note(g group) note {
	var n note
	if g.row != nil {
		n.text = g.row.Sentence()
	}
	if since := g.since(); since > 0 {
		n.text = strings.TrimSpace(fmt.Sprintf("%s Since systemd %d.", n.text, since))
	}
	if d, ok := h.demotion(g.name); ok {
		weaker := demoted(d)
		n.text = strings.TrimSpace(n.text + " Not stronger, because " + weaker.text)
		n.evidence = weaker.evidence
	}
	return n
}

// scores says how exposed the service is without and with the hardening.
func (h Hardening) scores() string {
	e := h.Verdict.Exposure
	return fmt.Sprintf("exposure of systemd-analyze security %.1f -> %.1f", e.Before, e.After)
}

// tested says how the hardening was tried.
func (h Hardening) tested() []note {
	v := h.Verdict
	text := fmt.Sprintf("Tried with systemd %d in a %s: %s launched %d times, without hardening and with it.",
		v.Systemd, cmp.Or(v.Place, "container"), v.Unit, v.Trials)
	if v.Systemd == 0 {
		text = fmt.Sprintf("%s was launched %d times, without hardening and with it.", v.Unit, v.Trials)
	}
	switch len(h.Checks) {
	case 0:
		text += " Hardened it started, stayed and stopped as it does without."
	default:
		text += " Hardened it passed: " + strings.Join(h.Checks, "; ") + "."
	}
	notes := []note{{text: text}}
	for _, a := range v.Advisories {
		notes = append(notes, note{text: "Advice: " + a.Text})
	}
	return notes
}
