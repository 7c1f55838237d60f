package guard

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"temper/generator"
	"temper/internal/host"
	"temper/internal/ready"
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
	since       time.Time // every run that began later used this drop-in and the program that is installed now
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
	g, _, err := generator.New(f.root, ready.CommandLine(f.root.Dir()))
	return g, err
}

// hardening reads the hardening of a unit; ok is false if the unit has none.
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
	if err != nil || h.decision.Profile == nil || h.decision.Text == "" {
		return h, false, err
	}
	if h.fingerprint, err = g.Fingerprint(g.Input(h.unit, h.decision.Profile, h.decision.Named)); err != nil {
		return h, false, err
	}
	h.since, err = f.inForceSince(h, file)
	return h, err == nil, err
}

// inForceSince is the time after which every run is certain to be under the hardening. The generator writes the drop-in
// at each reload of the manager, so this is the time of the last reload; if the verdict is older than the boot, it is
// the time of the boot. If the program was installed later than that, it is the time of its installation.
func (f files) inForceSince(h hardening, dropin string) (time.Time, error) {
	since, err := f.changeTime(dropin)
	if err != nil {
		return since, err
	}
	if v := h.decision.Verdict; v != nil && !v.Stale && v.Works() {
		booted, err := bootTime()
		if err != nil {
			return since, err
		}
		if stored, err := f.changeTime(f.verdictFile(v.Unit)); err == nil && stored.Before(booted) {
			since = booted
		}
	}
	program, _, _ := strings.Cut(h.fingerprint.Executable, " ")
	installed, err := f.changeTime(program)
	if err == nil && installed.After(since) {
		since = installed
	}
	return since, nil
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

// verdictFile is the file of the verdict that is in force for a unit; empty if there is none.
func (f files) verdictFile(name string) string {
	for _, dir := range verdict.Dirs {
		file := filepath.Join(dir, name+".json")
		if _, err := f.root.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// changeTime is the ctime of a file: package managers set its mtime, and nobody can set its ctime.
func (f files) changeTime(file string) (time.Time, error) {
	info, err := f.root.Stat(file)
	if err != nil {
		return time.Time{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return time.Time{}, &fs.PathError{Op: "stat", Path: file, Err: errors.ErrUnsupported}
	}
	return time.Unix(st.Ctim.Unix()), nil
}

// bootTime is the time at which the machine booted, by the current setting of its clock.
func bootTime() (time.Time, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, fmt.Errorf("read the time since the boot: %w", err)
	}
	return time.Now().Add(-time.Duration(up.Nano())), nil
}

// hardened lists the units and templates that have a drop-in of temper.
func (f files) hardened() ([]string, error) {
	entries, err := f.root.ReadDir(writtenDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".d")
		_, err := f.root.Stat(filepath.Join(writtenDir, e.Name(), generator.Dropin))
		if ok && err == nil && unit.Type(name) == "service" {
			names = append(names, name)
		}
	}
	return names, nil
}
