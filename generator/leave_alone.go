package generator

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/refusal"
	"temper/internal/unit"
)

// leavesAlone returns the rule by which a unit gets no drop-in whatever its verdict, and why; "" if there is none.
func (g *Generator) leavesAlone(u *unit.Unit, d Decision) (by Rule, why string) {
	switch {
	case d.Profile == nil && d.Verdict == nil:
		return ByNoProfile, "no profile matches"
	case u.Masked:
		return ByNoProfile, "masked"
	case foreignDropin(u) != "":
		return ByDropin, foreignDropin(u) + " stands in the place of temper's drop-in"
	case g.Settings.excludes(u.ID):
		return ByExclude, "excluded in " + SettingsFile
	case g.Switches.Off != "":
		return ByOffSwitch, g.Switches.Off
	case g.Switches.skips(u.ID):
		return ByOffSwitch, "temper.skip= on the kernel command line"
	case IsCritical(u.ID) && !d.Named && d.Profile != nil && !d.Profile.Draft: // a draft never applies
		return ByBoot, "critical for the boot: only a profile that names it applies"
	}
	return "", ""
}

// foreignDropin returns a drop-in that has the name of temper's drop-in but was not written by temper; "" if there is
// none. One of the administrator hides what the generator writes, and one of the vendor must not be hidden.
func foreignDropin(u *unit.Unit) string {
	for _, file := range u.Dropins {
		if path.Base(file) == Dropin && !strings.HasPrefix(file, "/run/systemd/generator/") {
			return file
		}
	}
	return ""
}

// A finder knows what a service has to find in spite of what a plan hides.
type finder struct {
	named []named
	shown []string // what the unit and the plan show in spite of it
}

// named is a path of an assignment of the unit.
type named struct{ setting, path, by string }

// newFinder reads what a unit names: the paths without which systemd does not start it, and all that a drop-in of the
// administrator lists or gives to commands. A profile was written without such a drop-in, but for the unit itself.
func newFinder(own *unit.Unit, c directive.Context, items []Item) finder {
	f := finder{shown: c.Shown()}
	for _, i := range items {
		for _, kind := range []refusal.Kind{refusal.PathHidden, refusal.PathReadOnly} {
			list := i.Directive.Showing(kind)
			for _, show := range items {
				if show.Directive == list {
					f.shown = append(f.shown, list.Grants(show.Lines, 0)...)
				}
			}
		}
	}
	for _, a := range assignments(own, func(string) bool { return true }) {
		name := directive.Canonical(a.Name)
		if a.Value == "" {
			f.named = slices.DeleteFunc(f.named, func(n named) bool { return n.setting == name })
		}
		for _, p := range pathsToFind(own, name, a) {
			f.named = append(f.named, named{name, p, fmt.Sprintf("%s names %s in %s=", a.Pos, p, name)})
		}
	}
	return f
}

func pathsToFind(u *unit.Unit, name string, a unit.Assignment) []string {
	value, err := u.Expand(a.Value)
	if err != nil {
		value = u.ExpandNames(a.Value)
	}
	mine := ByAdministrator(a.Pos.Path) && a.Pos.Path != u.Fragment
	if d, known := directive.Lookup(name); known {
		required, optional := d.Named([]string{value})
		if mine {
			return append(required, optional...)
		}
		return required
	}
	if mine && (strings.HasPrefix(name, "Exec") || name == "WorkingDirectory") {
		return pathsIn(value)
	}
	return nil
}

// pathsIn lists the absolute paths in a command.
func pathsIn(command string) []string {
	var paths []string
	ends := func(r rune) bool { return strings.ContainsRune(" \t\"'=:,;|&<>()", r) }
	for _, w := range strings.FieldsFunc(command, ends) {
		known, _, cut := strings.Cut(strings.TrimLeft(w, "-+@!"), "%")
		if cut {
			known = known[:strings.LastIndex(known, "/")+1]
		}
		if path.IsAbs(known) && !strings.HasPrefix(known, "//") {
			paths = append(paths, path.Clean(known))
		}
	}
	return paths
}

// opens leaves out of what hides paths those that would hide what the service has to find, and says why; without lines
// all of it is left out.
func (f finder) opens(i Item, version int) (lines []string, why string) {
	if i.Directive.Showing(refusal.PathHidden) == nil {
		return i.Lines, ""
	}
	var open, reasons []string
	for _, n := range f.named {
		for _, dir := range i.Directive.HidesNamed(i.Lines, f.shown, n.path) {
			if !slices.Contains(open, dir) {
				open, reasons = append(open, dir), append(reasons, dir+" stays, since "+n.by)
			}
		}
	}
	switch why = strings.Join(reasons, ", and "); {
	case open == nil:
		return i.Lines, ""
	case !i.Directive.HasExceptions():
		return nil, why
	}
	return i.Directive.Except(i.Lines, open, version), why
}

// critical are the units without which a machine does not boot or cannot be rescued. Such a unit gets a drop-in only
// from a profile that names it.
var critical = []string{
	"systemd-*", "dbus*.service", "*getty*.service", "emergency.service", "rescue.service", "user@*.service",
	"user-runtime-dir@*.service", "initrd-*", "dracut-*", "plymouth*", "modprobe@*.service", "kmod*.service", "lvm2-*",
	"dm-event.service",
	"multipathd.service", "mdmonitor.service", "mdadm*", "cryptsetup*", "ifup@*.service", "networking.service",
	"NetworkManager*.service", "wpa_supplicant*.service", "polkit.service", "display-manager.service", "temper-*",
	"debug-shell.service",
	"quotacheck*.service", "fsck*", "kdump*", "auditd.service", "apparmor.service", "selinux-*",
}

// IsCritical reports whether a unit is in the table above.
func IsCritical(unit string) bool {
	return slices.ContainsFunc(critical, func(pattern string) bool {
		ok, _ := path.Match(pattern, unit)
		return ok
	})
}
