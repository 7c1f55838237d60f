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

// programs are temper's own: another one may decide otherwise. A record depends on them wherever they are installed.
var programs = []string{
	"/usr/lib/temper/temper-decide", "/usr/lib/systemd/system-generators/temper-generator",
	"/usr/local/lib/temper/temper-decide", "/usr/local/lib/systemd/system-generators/temper-generator",
}

// MakeReady decides as the next boot will and lays the result ready for it, with everything that it depends on: a boot
// at which nothing of that has changed copies texts. `temper prove` calls it, and `temper renew` after packages changed
// and some time after each boot. Where a file is wrong, nothing is laid ready: each boot reports that.
func MakeReady(root host.Root) error {
	has, err := ready.HasProfiles(root.Dir())
	if err != nil || !has {
		return err
	}
	if err := root.MkdirAll(path.Dir(ready.Path), 0o755); err != nil { // before what is there is noted
		return err
	}
	now, ok := record(root)
	old, err := root.ReadFile(ready.Path)
	switch {
	case !ok && err != nil: // there is none and there will be none
		return nil
	case !ok:
		return root.Remove(ready.Path)
	case bytes.Equal(old, now.Bytes()):
		return nil
	}
	return root.WriteFile(ready.Path, now.Bytes(), 0o644)
}

// tick is longer than the kernel's clock of file times takes for a step: what changes a tick after it was read has
// another time.
const tick = 20 * time.Millisecond

// record decides twice, before and after it reads the state of the inputs: files that change meanwhile are not noted
// under a decision that did not know them.
func record(root host.Root) (r ready.Record, ok bool) {
	r, ok = decided(root)
	if !ok || !r.ReadStates(root.Dir()) {
		return r, false
	}
	time.Sleep(tick)
	again, ok := decided(root)
	sameDropin := func(a, b ready.Dropin) bool { return a.Unit == b.Unit && bytes.Equal(a.Text, b.Text) }
	same := slices.Equal(r.Inputs, again.Inputs) && slices.Equal(r.Patterns, again.Patterns) &&
		slices.EqualFunc(r.Dropins, again.Dropins, sameDropin)
	return r, ok && same && len(r.Bytes()) < host.MaxFile
}

// decided decides about every unit as a boot does, which begins without the volatile directories.
func decided(root host.Root) (r ready.Record, ok bool) {
	root, inputs := root.Recording()
	isVolatile := func(dir string) bool { return slices.Contains(ready.VolatileDirs, dir) }
	g, problems, err := newForBoot(root, "", slices.DeleteFunc(slices.Clone(unit.DefaultPath), isVolatile))
	if err != nil || len(problems) > 0 || g.Switches.Off != "" {
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
