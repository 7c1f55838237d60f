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

// writtenDir is where the generator writes.
const writtenDir = "/run/systemd/generator"

// A hardening is a drop-in of temper's on a unit, and what it was written from.
type hardening struct {
	unit     *unit.Unit // without the drop-in
	decision generator.Decision
	dropin   string // the text that is in force
	now      verdict.Fingerprint
	since    time.Time // every run that began later was under this drop-in, with the program that is there now
}

// settle is how long a run must last to be a good one.
func (h hardening) settle() time.Duration { return h.decision.Profile.Prove.Settle }

// key identifies the hardening and what runs under it: the drop-in, the program, systemd and the kernel.
func (h hardening) key() string {
	return fmt.Sprintf("%s\n%d %s\n%s", h.now.Executable, h.now.Systemd, h.now.Kernel, h.dropin)
}

// files are the units, profiles and verdicts of this machine. They are read anew for each question, since proofs and
// reloads change them.
type files struct{ root host.Root }

// generator reads what the generator reads. What is wrong with single files the generator says.
func (f files) generator() (*generator.Generator, error) {
	g, _, err := generator.New(f.root, ready.CommandLine(f.root.Dir()))
	return g, err
}

// hardening reads what there is about a unit; ok is false where temper has written nothing for it.
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
	if h.now, err = g.Fingerprint(g.Input(h.unit, h.decision.Profile, h.decision.Named)); err != nil {
		return h, false, err
	}
	h.since, err = f.inForce(h, file)
	return h, err == nil, err
}

// inForce is since when a run is certain to be under the hardening. The drop-in is written at each reload of the
// manager, so that one is the time; where its verdict is older than the boot, all of the boot is. The program may be
// newer than either.
func (f files) inForce(h hardening, dropin string) (time.Time, error) {
	since, err := f.changed(dropin)
	if err != nil {
		return since, err
	}
	if v := h.decision.Verdict; v != nil && !v.Stale && v.Result == verdict.Proven {
		booted, err := bootTime()
		if err != nil {
			return since, err
		}
		if stored, err := f.changed(f.storedIn(v.Unit)); err == nil && stored.Before(booted) {
			since = booted
		}
	}
	program, _, _ := strings.Cut(h.now.Executable, " ")
	installed, err := f.changed(program)
	if err == nil && installed.After(since) {
		since = installed
	}
	return since, nil
}

// putBroken stores that a unit does not start with its hardening on this machine.
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
	v.Unit = h.unit.ID // an instance has what was found out about its template
	v.Result, v.Fingerprint = verdict.Broken, h.now
	v.Reason = "did not start hardened on this machine: " + last.how()
	v.Advisories = last.evidence(log)
	return g.Store.Put(v)
}

// storedIn is the file of the verdict on a unit that counts.
func (f files) storedIn(name string) string {
	for _, dir := range verdict.Dirs {
		file := filepath.Join(dir, name+".json")
		if _, err := f.root.Stat(file); err == nil {
			return file
		}
	}
	return ""
}

// changed is when a file was last changed or put where it is: package managers set the time of its contents, and nobody
// sets this one.
func (f files) changed(file string) (time.Time, error) {
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

// bootTime is when the machine was booted, by the clock as it is now.
func bootTime() (time.Time, error) {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return time.Time{}, fmt.Errorf("read the time since the boot: %w", err)
	}
	return time.Now().Add(-time.Duration(up.Nano())), nil
}

// hardened lists the units that have a drop-in of temper's. Templates stand for their instances.
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
