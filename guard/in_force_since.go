package guard

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"temper/generator"
	"temper/internal/ready"
	"temper/internal/systemd"
	"temper/internal/verdict"
)

// The generator writes a drop-in at each load of the manager, and nothing says what the drop-in was before the last
// one. But as long as nothing has changed on which it depends, each load has given the same.

// A load is one of the times at which PID 1 has run the generators and loaded its units: at the boot, and at each
// reload.
type load struct {
	began  time.Time // before the generators ran
	logged time.Time // after that, and before anything that PID 1 has logged of units that it started later
}

// inForceSince is the time after which every run is certain to be under the hardening, with the program that is
// installed now: that of the first load after the last change of anything on which the drop-in depends, or of the
// program. If that load is not known, it is the time at which the drop-in was written.
func (h hardening) inForceSince(loads []load) time.Time {
	since := h.written
	for _, l := range loads {
		if !h.changed.IsZero() && l.began.After(h.changed.Add(tick)) && l.logged.Before(since) {
			since = l.logged
		}
	}
	if h.installed.After(since) {
		since = h.installed
	}
	return since
}

// tick is longer than a step of the clock that the kernel uses for file times.
const tick = 20 * time.Millisecond

// loads lists the known loads of this boot.
func (g *Guard) loads(ctx context.Context) ([]load, error) {
	// systemd makes this unit at the boot, after the generators have run.
	scope, err := g.manager.Unit(ctx, "init.scope")
	if err != nil {
		return nil, err
	}
	booted := time.UnixMicro(int64(systemd.Get[uint64](scope, "ActiveEnterTimestamp")))
	loads := []load{{booted, booted}}
	for _, l := range g.journal.reloads(ctx) {
		if l.began.After(booted) {
			loads = append(loads, l)
		}
	}
	return loads, ctx.Err()
}

// changeable are files and directories on which every drop-in may depend: switches and settings, what the administrator
// and the guard add to units, profiles, and systemd. A directory changes with the names in it. That a vendor's
// directory has changed says nothing about a unit; its files do.
var changeable = append([]string{
	"/etc/temper", generator.SettingsFile, "/etc/systemd/system", "/etc/systemd/system.control", maskDir,
	"/run/systemd/system.control", "/usr/lib/systemd/systemd",
}, ready.ProfileDirs...)

// lastChange is the latest change of anything on which the drop-in of a unit depends; the zero time if that is not
// known.
func (f files) lastChange(h hardening) time.Time {
	paths := slices.Concat(f.unitFiles(h), changeable, h.decision.Profile.Sources)
	if v := h.decision.Verdict; v != nil {
		paths = append(paths, f.verdictFile(v.Unit))
	} else {
		paths = append(paths, verdict.Dirs...) // there may have been one
	}
	var last time.Time
	for _, file := range paths {
		switch changed, err := f.changeTime(file); {
		case strings.HasPrefix(file, writtenDir): // each load writes it anew, and what it was before nobody knows
			return time.Time{}
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return time.Time{}
		case changed.After(last):
			last = changed
		}
	}
	return last
}

// unitFiles are the files of a unit and of the slices in which it is, and the directories of drop-ins among them.
func (f files) unitFiles(h hardening) []string {
	paths := append([]string{h.unit.Fragment}, h.unit.Dropins...)
	for _, a := range h.unit.Inherited {
		paths = append(paths, a.Pos.Path)
	}
	for _, file := range paths {
		if dir := filepath.Dir(file); strings.HasSuffix(dir, ".d") {
			paths = append(paths, dir)
		}
	}
	return paths
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

// verdictFile is the file of the verdict that is in force for a unit; empty if there is none.
func (f files) verdictFile(name string) string {
	for _, dir := range verdict.Dirs {
		file := filepath.Join(dir, name+".json")
		if _, err := f.root.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return file
		}
	}
	return ""
}
