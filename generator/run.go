package generator

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/unit"
)

// Report says what a run did.
type Report struct {
	Off      string // why the generator is off; "" if it is on
	Written  int    // drop-ins
	Problems []error
}

// Run writes the drop-ins of all units below dir, at a boot where no boot record applies. If one file is wrong, the
// units that depend on it stay as their vendor wrote them; all others get their drop-ins.
func Run(root host.Root, cmdline, dir string) Report {
	switches, err := ReadSwitches(root, cmdline)
	if err != nil {
		return Report{Problems: []error{err}}
	}
	if switches.Off != "" {
		return Report{Off: switches.Off}
	}
	g, problems, err := newForBoot(root, switches, unit.DefaultPath)
	if err != nil {
		return Report{Problems: []error{err}}
	}
	decisions, more := g.decisions(false)
	r := Report{Problems: slices.Concat(problems, more)}
	if r.Written, err = Write(dir, decisions); err != nil {
		r.Problems = append(r.Problems, err)
	}
	if err := askForProofs(dir, decisions); err != nil {
		r.Problems = append(r.Problems, err)
	}
	return r
}

// NeedsProofFile is a file among the drop-ins that names the units that need a proof, if any. temper-prove.path waits
// for it.
const NeedsProofFile = "temper-prove.needed"

// askForProofs has the units proven in the background that need it.
func askForProofs(dir string, decisions []Decision) error {
	var units strings.Builder
	for _, d := range decisions {
		// temper renew also copies what a package brought, so that it stays when the package of the service changes.
		if d.NeedsProof || d.Verdict != nil && d.Verdict.NoCopy && d.Text != "" {
			fmt.Fprintln(&units, d.Unit)
		}
	}
	if units.Len() == 0 {
		return nil
	}
	return os.WriteFile(filepath.Join(dir, NeedsProofFile), []byte(units.String()), 0o644)
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
