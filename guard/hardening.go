package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// writtenDir is the directory into which the generator writes drop-ins.
const writtenDir = "/run/systemd/generator"

// A hardening is the drop-in that temper has written for a unit, and the decision that it comes from.
type hardening struct {
	unit        *unit.Unit // without the drop-in
	decision    generator.Decision
	dropin      string // the text that is in force
	fingerprint verdict.Fingerprint
	written     time.Time // when the drop-in was written, at the last load of the manager
	changed     time.Time // the last change of anything on which the drop-in depends; the zero time if not known
	installed   time.Time // when the program was installed
}

// settle is how long a run must last to be good.
func (h hardening) settle() time.Duration { return h.decision.Profile.Prove.Settle }

// key identifies the hardening and what runs under it: the drop-in, the program, systemd and the kernel.
func (h hardening) key() string {
	return fmt.Sprintf("%s\n%d %s\n%s", h.fingerprint.Executable, h.fingerprint.Systemd, h.fingerprint.Kernel, h.dropin)
}

// files are the units, profiles and verdicts of this machine. Each method reads them again, since proofs and reloads
// change them.
type files struct{ root host.Root }

// generator loads what the generator loads. It leaves it to the generator to report errors in single files.
func (f files) generator() (*generator.Generator, error) {
	g, _, err := generator.OfMachine(f.root)
	return g, err
}

// hardening reads the hardening of a unit; ok is false if the unit has none, or none about which a proof could decide.
// A verdict that cannot be read takes no hardening away, and a proof replaces it.
func (f files) hardening(name string) (h hardening, ok bool, err error) {
	g, err := f.generator()
	if err != nil {
		return h, false, err
	}
	u, err := g.Units.Load(name)
	if err != nil {
		return h, false, err
	}
	at := slices.IndexFunc(u.Dropins, func(file string) bool {
		return strings.HasPrefix(file, writtenDir+"/") && filepath.Base(file) == generator.Dropin
	})
	if at < 0 {
		return h, false, nil
	}
	file := u.Dropins[at]
	text, err := f.root.ReadFile(file)
	if err != nil {
		return h, false, err
	}
	h.unit, h.dropin = u.Without(generator.Dropin), string(text)
	h.decision, err = g.Decide(u)
	if h.decision.Text == "" {
		return h, false, err
	}
	if h.decision.Profile == nil { // it has an error, and without a profile nothing can be proven
		return h, false, nil
	}
	if h.fingerprint, err = g.Fingerprint(g.Input(h.unit, h.decision.Profile, h.decision.Named)); err != nil {
		return h, false, err
	}
	h.changed = f.lastChange(h)
	program, _, _ := strings.Cut(h.fingerprint.Executable, " ")
	if h.installed, err = f.changeTime(program); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, false, err
	}
	h.written, err = f.changeTime(file)
	return h, err == nil, err
}

// putBroken stores the verdict that a unit does not start with its hardening on this machine.
func (f files) putBroken(h hardening, last run, log []entry) error {
	g, err := f.generator()
	if err != nil {
		return err
	}
	v := verdict.Verdict{
		Profile: h.decision.Profile.Name, Place: "host", Systemd: g.Version,
		Applied: h.decision.Plan.Applied(), Demotions: []verdict.Demotion{}, LeftOut: h.decision.Plan.LeftOut,
		Dropin: h.dropin,
	}
	if h.decision.Verdict != nil {
		v = *h.decision.Verdict
		v.Stale, v.StaleReason = false, ""
	}
	v.Unit = h.unit.ID // the verdict of an instance may come from its template
	v.Result, v.Fingerprint = verdict.Broken, h.fingerprint
	v.Reason = "did not start hardened on this machine: " + last.describeEnd()
	v.Advisories = last.evidence(log)
	return g.Store.Put(v)
}

// hardened lists the units and templates that have a drop-in of temper. The error tells those that cannot be seen.
func (f files) hardened() ([]string, error) {
	entries, err := f.root.ReadDir(writtenDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	var unseen []error
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".d")
		if !ok || unit.Type(name) != "service" {
			continue
		}
		switch _, err := f.root.Stat(filepath.Join(writtenDir, e.Name(), generator.Dropin)); {
		case err == nil:
			names = append(names, name)
		case !errors.Is(err, fs.ErrNotExist):
			unseen = append(unseen, err)
		}
	}
	return names, errors.Join(unseen...)
}
