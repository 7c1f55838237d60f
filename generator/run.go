package generator

import (
	"os"
	"slices"

	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/unit"
)

// Report is what a run did.
type Report struct {
	Off      string // why nothing was even looked at; "" if something was
	Written  int    // drop-ins
	Problems []error
}

// Run does at boot what systemd calls a generator for, where nothing lies ready: it writes the drop-ins of every unit
// below dir. What is wrong with one file leaves the units that depend on it as their vendor wrote them; the others are
// done.
func Run(root host.Root, cmdline, dir string) Report {
	switches, err := ReadSwitches(root, cmdline)
	if err != nil {
		return Report{Problems: []error{err}}
	}
	if switches.Off != "" {
		return Report{Off: switches.Off}
	}
	g, problems, err := newForBoot(root, cmdline, unit.DefaultPath)
	if err != nil {
		return Report{Problems: []error{err}}
	}
	decisions, more := g.decisions(false)
	r := Report{Problems: slices.Concat(problems, more)}
	if r.Written, err = Write(dir, decisions); err != nil {
		r.Problems = append(r.Problems, err)
	}
	return r
}

// Write puts the drop-ins of decisions below dir, each under a temporary name first, and returns how many it wrote. It
// does not stop at an error.
func Write(dir string, decisions []Decision) (int, error) {
	var dropins []ready.Dropin
	for _, d := range decisions {
		if d.Text != "" {
			dropins = append(dropins, ready.Dropin{Unit: d.Unit, Text: []byte(d.Text)})
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil || len(dropins) == 0 {
		return 0, err
	}
	return ready.Write(dir, dropins)
}
