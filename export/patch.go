package export

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"temper/internal/hint"
	"temper/internal/unit"
)

// patch is a message and a unified diff to the vendor's unit file. The diff replaces what can have only one value, and
// adds everything else at the end of [Service], where the drop-in would add it.
func (h Hardening) patch() (string, error) {
	if err := h.fragmentDecides(); err != nil {
		return "", err
	}
	text, err := h.insert(h.Fragment)
	if err != nil {
		return "", err
	}
	name := path.Base(h.Unit.Fragment)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: restrict what the service can do\n\n", name)
	note{text: strings.ToUpper(h.scores()[:1]) + h.scores()[1:] + "."}.write(&b, "")
	for _, n := range h.tested() {
		n.write(&b, "")
	}
	b.WriteString("\nWhy each of them:\n")
	for _, g := range h.groups {
		n := h.note(g)
		n.text = strings.TrimSpace(g.name + "= " + n.text)
		n.write(&b, "  ")
	}
	if notes := h.notSet(); len(notes) > 0 {
		b.WriteString("\nNot set:\n")
		for _, n := range notes {
			n.write(&b, "  ")
		}
	}
	_, body, _ := bytes.Cut(diff.Diff("a/"+name, []byte(h.Fragment), "b/"+name, []byte(text)), []byte("\n"))
	return b.String() + "\n" + string(body), nil
}

// fragmentDecides returns an error if a drop-in of the unit assigns what the patch assigns: it is read after the
// fragment, so the patched unit would not be what was proven.
func (h Hardening) fragmentDecides() error {
	for _, a := range h.Unit.Assignments {
		same := func(g group) bool { return g.name == a.Name || g.row != nil && g.row.Is(a.Name) }
		if a.Section == "Service" && a.Pos.Path != h.Unit.Fragment && slices.ContainsFunc(h.groups, same) {
			return hint.With(
				fmt.Errorf("%s: sets %s=, which a patch to %s would not change", a.Pos, a.Name, h.Unit.Fragment),
				"temper export --as dropin "+h.Verdict.Unit,
			)
		}
	}
	return nil
}

// insert puts the assignments into the text of the fragment.
func (h Hardening) insert(text string) (string, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	own := slices.DeleteFunc(slices.Clone(h.Unit.Assignments), func(a unit.Assignment) bool {
		return a.Section != "Service" || a.Pos.Path != h.Unit.Fragment
	})
	if len(own) == 0 {
		return "", fmt.Errorf("%s: has no assignment in [Service]", h.Unit.Fragment)
	}
	var added []string
	for _, g := range h.groups {
		if at := g.replaces(own, lines); at > 0 {
			lines[at-1] = g.lines()[0]
			continue
		}
		added = append(added, g.lines()...)
	}
	end := lastLine(lines, own[len(own)-1].Pos.Line)
	return strings.Join(slices.Insert(lines, end, added...), "\n") + "\n", nil
}

// replaces returns the line of the assignment that the group takes the place of; 0 if there is none: the directive is a
// list, or its assignment goes over several lines.
func (g group) replaces(own []unit.Assignment, lines []string) int {
	if g.row == nil || !g.row.Ordered() || len(g.values) != 1 {
		return 0
	}
	for _, a := range slices.Backward(own) {
		if g.row.Is(a.Name) {
			if lastLine(lines, a.Pos.Line) == a.Pos.Line {
				return a.Pos.Line
			}
			return 0
		}
	}
	return 0
}

// lastLine returns the last line of the assignment that begins at a line. A line that ends in a backslash goes on in
// the next one; comments between them do not count.
func lastLine(lines []string, first int) int {
	last := first
	for last < len(lines) && continues(lines[last-1]) {
		last++
		for last < len(lines) && strings.HasPrefix(strings.TrimLeft(lines[last-1], " \t"), "#") {
			last++
		}
	}
	return last
}

func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}
