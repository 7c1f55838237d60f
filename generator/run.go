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

// Run does at boot what systemd calls a generator for, where nothing lies ready: it writes the drop-ins of every unit below dir.
// What is wrong with one file leaves the units that depend on it as their vendor wrote them; the others are done.
func Run(root host.Root, cmdline, dir string) Report {
	switches, err := ReadSwitches(root, cmdline)
	if err != nil {
		return Report{Problems: []error{err}}
	}
	if switches.Off != "" {
		return Report{Off: switches.Off}
	}
	g, problems, err := New(root, cmdline)
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
