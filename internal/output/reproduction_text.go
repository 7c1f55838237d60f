package output

import (
	"cmp"
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
	p.print("# %s= from %s to %s, because of:\n", d.Directive, Short(d.From), Short(d.To))
	for _, e := range d.Evidence {
		p.print("#   %s: %s\n", e.Kind, e.Text)
	}
	p.print("# This stops %s while it lasts: run it where that does no harm.\n", unit)
	p.print("sudo mkdir -p %s\nsudo tee %s <<'END'\n", dir, file)
	for line := range strings.SplitSeq(strings.TrimSuffix(cmp.Or(r.Verdict.Dropin, "[Service]"), "\n"), "\n") {
		if !strings.HasPrefix(line, d.Directive+"=") && !strings.HasPrefix(line, "#") && line != "END" {
			p.print("%s\n", line)
		}
	}
	for _, l := range r.Lines {
		p.print("%s=%s\n", l.Directive, strings.ReplaceAll(l.Value, "%", "%%"))
	}
	p.print(
		"END\nsudo systemctl daemon-reload\nsudo systemctl restart %[1]s; systemctl status %[1]s\n"+
			"journalctl -u %[1]s -n 20\n",
		unit,
	)
	p.print("# and back:\nsudo rm %s\nsudo systemctl daemon-reload\nsudo systemctl restart %s\n", file, unit)
}
