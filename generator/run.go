package generator

import (
	"slices"

	"temper/internal/host"
)

// Report is what a run did.
type Report struct {
	Off      string // why nothing was even looked at; "" if something was
	Written  int    // drop-ins
	Problems []error
}

// Run does at boot what systemd calls a generator for: it writes the drop-ins of every unit below dir. What is wrong with one
// file leaves the units that depend on it as their vendor wrote them; the others are done.
func Run(root host.Root, cmdline, dir string) Report {
	switches := ReadSwitches(root, cmdline)
	if switches.Off != "" {
		return Report{Off: switches.Off}
	}
	if !hasProfiles(root) {
		return Report{}
	}
	decisions, problems := decideAll(root, cmdline, switches)
	r := Report{Problems: problems}
	var err error
	if r.Written, err = Write(dir, decisions); err != nil {
		r.Problems = append(r.Problems, err)
	}
	return r
}

// decideAll takes what lies ready, or reads everything.
func decideAll(root host.Root, cmdline string, switches Switches) ([]Decision, []error) {
	if dropins, ok := fromReady(root, switches); ok {
		decisions := make([]Decision, len(dropins))
		for i, d := range dropins {
			decisions[i] = Decision{Unit: d.Unit, Text: string(d.Text)}
		}
		return decisions, nil
	}
	g, problems, err := New(root, cmdline)
	if err != nil {
		return nil, []error{err}
	}
	decisions, more := g.decisions(false)
	return decisions, slices.Concat(problems, more)
}
