package generator

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"temper/internal/host"
	"temper/internal/ready"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// MakeReady decides as the next boot will and lays the result ready for it, with everything that it depends on: a boot at which
// nothing of that has changed copies texts. `temper prove` calls it, and `temper renew` after packages changed and some time
// after each boot. Where a file is wrong, nothing is laid ready: each boot reports that.
func MakeReady(root host.Root) error {
	file, err := root.Path(ready.Path)
	if err != nil || !ready.HasProfiles(string(root)) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { // before what is there is noted
		return err
	}
	now, ok := record(root)
	old, err := root.ReadFile(ready.Path)
	switch {
	case !ok && err != nil: // there is none and there will be none
		return nil
	case !ok:
		return unix.Unlink(file)
	case bytes.Equal(old, now.Bytes()):
		return nil
	}
	return renameio.WriteFile(file, now.Bytes(), 0o644)
}

// tick is longer than the kernel's clock of file times takes for a step: what changes a tick after a look has another time.
const tick = 20 * time.Millisecond

// record decides twice, before and after it notes what there is to see: files that change meanwhile are not noted under a
// decision that did not know them.
func record(root host.Root) (r ready.Record, ok bool) {
	r, ok = decided(root)
	if !ok || !r.Look(string(root)) {
		return r, false
	}
	time.Sleep(tick)
	again, ok := decided(root)
	same := slices.Equal(r.Looks, again.Looks) && slices.Equal(r.Patterns, again.Patterns) &&
		slices.EqualFunc(r.Dropins, again.Dropins, func(a, b ready.Dropin) bool { return a.Unit == b.Unit && bytes.Equal(a.Text, b.Text) })
	return r, ok && same && len(r.Bytes()) < host.MaxFile
}

// decided decides about every unit as a boot does, which begins without the volatile directories.
func decided(root host.Root) (r ready.Record, ok bool) {
	g, problems, err := New(root, "")
	if err != nil || len(problems) > 0 || g.Switches.Off != "" {
		return r, false
	}
	g.Units.Path = slices.DeleteFunc(slices.Clone(unit.DefaultPath), func(dir string) bool { return slices.Contains(ready.VolatileDirs, dir) })
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
		if file := verdict.Executable(u); path.IsAbs(file) {
			kind := ready.Stat
			if d.Verdict != nil && !d.Verdict.Stale {
				kind = ready.Seen
			}
			r.Looks = append(r.Looks, ready.Look{Kind: kind, Path: file})
		}
	}
	r.Patterns = sorted(append(known, g.Profiles.Patterns()...))
	r.Looks = append(r.Looks, g.Units.Looks()...)
	r.Looks = append(r.Looks, looks(root)...)
	slices.SortFunc(r.Looks, ready.Look.Compare)
	r.Looks = slices.Compact(r.Looks)
	return r, true
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}

// looks are those at what does not depend on units: the kernel, systemd, the settings, profiles and verdicts.
func looks(root host.Root) []ready.Look {
	all := []ready.Look{{Kind: ready.Kernel}}
	for _, file := range []string{"/etc/machine-id", "/etc/os-release", "/usr/lib/os-release"} { // specifiers
		all = append(all, ready.Look{Kind: ready.File, Path: file})
	}
	dir := path.Dir(SettingsFile)
	all = append(all, ready.Look{Kind: ready.Link, Path: dir}, ready.Look{Kind: ready.Stat, Path: dir})
	all = append(all, ready.Look{Kind: ready.Link, Path: SettingsFile}, ready.Look{Kind: ready.File, Path: SettingsFile})
	all = append(all, root.SystemdLooks()...)
	for _, dir := range profiles.SearchPath {
		all = append(all, directory(root, dir, ".toml")...)
		all = append(all, directory(root, path.Join(dir, "base"), ".toml")...)
	}
	for _, dir := range verdict.Dirs {
		all = append(all, directory(root, dir, ".json")...)
	}
	return all
}

// directory are the looks at a directory and the files in it that have a suffix.
func directory(root host.Root, dir, suffix string) []ready.Look {
	all := []ready.Look{{Kind: ready.Link, Path: dir}, ready.InDir(dir, suffix)}
	entries, _ := root.ReadDir(dir) // one that cannot be read looks like that at boot as well
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		file := path.Join(dir, e.Name())
		if all = append(all, ready.Look{Kind: ready.File, Path: file}); e.Type()&fs.ModeSymlink != 0 {
			all = append(all, ready.Look{Kind: ready.Link, Path: file})
		}
	}
	return all
}
