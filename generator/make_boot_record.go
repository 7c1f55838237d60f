package generator

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"slices"
	"time"

	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/unit"
)

// programs are the programs of temper. A record depends on them, since another version may decide differently.
var programs = []string{
	"/usr/lib/temper/temper-decide", "/usr/lib/systemd/system-generators/temper-generator",
	"/usr/local/lib/temper/temper-decide", "/usr/local/lib/systemd/system-generators/temper-generator",
}

// MakeBootRecord decides as the next boot will, and writes the drop-ins and all inputs of the decision to the boot
// record. If no input has changed at the next boot, the generator copies the drop-ins. `temper prove` calls it, and so
// does `temper renew` after packages changed and some time after each boot. If a file is wrong no record holds, so that
// each boot reports the problem.
func MakeBootRecord(root host.Root) error {
	has, err := ready.HasProfiles(root.Dir())
	if err != nil || !has {
		return err
	}
	// The directory is made first: it is part of what is recorded.
	if err := root.MkdirAll(path.Dir(ready.Path), 0o755); err != nil {
		return err
	}
	if _, err := readSettings(root, SettingsFile); err == nil {
		if err := keepSettings(root); err != nil {
			return err
		}
	}
	now, ok := makeRecord(root)
	if !ok { // what applied before stays known
		if now, ok = ready.Load(root.Dir()); !ok {
			return removeRecord(root)
		}
		now = now.Outdated()
	}
	old, err := root.ReadFile(ready.Path)
	if err == nil && bytes.Equal(old, now.Bytes()) {
		return nil
	}
	return root.WriteFile(ready.Path, now.Bytes(), 0o644)
}

// removeRecord removes a record that cannot be read.
func removeRecord(root host.Root) error {
	if err := root.Remove(ready.Path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// tick is longer than a step of the clock that the kernel uses for file times: a file that changes a tick after it was
// read has another time.
const tick = 20 * time.Millisecond

// makeRecord decides twice, before and after it reads the state of the inputs, so that no record combines a decision
// with the state of files that changed after it.
func makeRecord(root host.Root) (r ready.Record, ok bool) {
	r, ok = decideAsAtBoot(root)
	if !ok || !r.ReadStates(root.Dir()) {
		return r, false
	}
	time.Sleep(tick)
	again, ok := decideAsAtBoot(root)
	sameDropin := func(a, b ready.Dropin) bool { return a.Unit == b.Unit && bytes.Equal(a.Text, b.Text) }
	same := slices.Equal(r.Inputs, again.Inputs) && slices.Equal(r.Patterns, again.Patterns) &&
		slices.EqualFunc(r.Dropins, again.Dropins, sameDropin)
	return r, ok && same && len(r.Bytes()) < host.MaxFile
}

// decideAsAtBoot decides about every unit as a boot does, where the volatile directories do not exist yet.
func decideAsAtBoot(root host.Root) (r ready.Record, ok bool) {
	root, inputs := root.Recording()
	isVolatile := func(dir string) bool { return slices.Contains(ready.VolatileDirs, dir) }
	switches, err := ReadSwitches(root, "")
	if err != nil || switches.Off != "" {
		return r, false
	}
	g, problems, err := newForBoot(root, switches, slices.DeleteFunc(slices.Clone(unit.DefaultPath), isVolatile))
	if err != nil || len(problems) > 0 {
		return r, false
	}
	decisions, problems := g.decisions(false)
	if len(problems) > 0 {
		return r, false
	}
	known := []string{guardUnit}
	for _, d := range decisions {
		if d.Text != "" {
			r.Dropins = append(r.Dropins, ready.Dropin{Unit: d.Unit, Text: []byte(d.Text)})
		}
		u, err := g.load(d.Unit)
		if err != nil {
			return r, false
		}
		known = append(known, NamesOf(u)...)
	}
	for _, file := range programs {
		if _, err := root.Stat(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return r, false
		}
	}
	r.Patterns = sorted(append(known, g.Profiles.Patterns()...))
	r.Inputs = inputs.Sorted()
	return r, true
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}
