package export

import (
	"fmt"
	"strings"
)

// dropin is the drop-in with a comment for each directive.
func (h Hardening) dropin() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n# Hardening of %s, found by temper: %s.\n", h.path(), h.Verdict.Unit, h.scores())
	for _, n := range h.tested() {
		n.write(&b, "# ")
	}
	b.WriteString("\n[Service]\n")
	for i, g := range h.groups {
		if i > 0 {
			b.WriteString("\n")
		}
		h.note(g).write(&b, "# ")
		b.WriteString(strings.Join(g.lines(), "\n") + "\n")
	}
	if notes := h.notSet(); len(notes) > 0 {
		b.WriteString("\n# Not set:\n")
		for _, n := range notes {
			n.write(&b, "# ")
		}
	}
	return b.String()
}
