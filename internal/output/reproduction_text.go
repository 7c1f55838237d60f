package output

import (
	"cmp"
	"fmt"
	"strings"

	"temper/generator"
	"temper/internal/explain"
)

// Reproduction prints a drop-in with everything that was proven and the directive as it was before its demotion, and
// the commands that try it. It replaces temper's own drop-in but does not start the guard, which would undo what is
// broken on purpose.
func (p Printer) Reproduction(r explain.Reproduction) {
	unit, d := r.Verdict.Unit, r.Demotion
	dir := "/run/systemd/system/" + unit + ".d"
	file := dir + "/" + generator.Dropin
	fmt.Fprintf(p.Out, "# %s= from %s to %s, because of:\n", d.Directive, Short(d.From), Short(d.To))
	for _, e := range d.Evidence {
		fmt.Fprintf(p.Out, "#   %s: %s\n", e.Kind, e.Text)
	}
	fmt.Fprintf(p.Out, "# This stops %s while it lasts: run it where that does no harm.\n", unit)
	fmt.Fprintf(p.Out, "sudo mkdir -p %s\nsudo tee %s <<'END'\n", dir, file)
	for line := range strings.Lines(cmp.Or(r.Verdict.Dropin, "[Service]\n")) {
		if !strings.HasPrefix(line, d.Directive+"=") && !strings.HasPrefix(line, "#") {
			fmt.Fprint(p.Out, line)
		}
	}
	for _, l := range r.Lines {
		fmt.Fprintf(p.Out, "%s=%s\n", l.Directive, strings.ReplaceAll(l.Value, "%", "%%"))
	}
	fmt.Fprintf(
		p.Out,
		"END\nsudo systemctl daemon-reload\nsudo systemctl restart %[1]s; systemctl status %[1]s\n"+
			"journalctl -u %[1]s -n 20\n",
		unit,
	)
	fmt.Fprintf(p.Out, "# and back:\nsudo rm %s\nsudo systemctl daemon-reload\nsudo systemctl restart %s\n", file, unit)
}
