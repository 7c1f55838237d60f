package ready

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// VolatileDirs are the directories of the unit load path that are empty when a boot begins: what they have while a
// record is made is gone at the next boot. A record holds as long as nothing in them is about a unit that a profile
// matches.
var VolatileDirs = []string{
	"/run/systemd/system.control", "/run/systemd/transient", "/run/systemd/generator.early", "/run/systemd/system",
	"/run/systemd/system.attached", "/run/systemd/generator", "/run/systemd/generator.late",
}

// noneVolatile reports whether the volatile directories have nothing that could be about a unit of the record.
func (r *Record) noneVolatile(now *reader) bool {
	for _, dir := range VolatileDirs {
		entries, _, err := now.list(dir)
		if err == unix.ENOENT {
			continue
		}
		if err != nil || slices.ContainsFunc(entries, r.concerns) {
			return false
		}
	}
	return true
}

// systemdSlices begin the names of the slices that systemd's own generators make for its own templates, such as that of
// systemd-cryptsetup@.service: no profile is about a unit in them.
const systemdSlices = `system-systemd\x2d`

// concerns reports whether an entry of a directory, as list returns it, could be about a unit of the record. A link can
// make any name an alias, and the drop-in directory of a prefix is about every unit whose name begins with it.
func (r *Record) concerns(entry string) bool {
	name, kind, _ := strings.Cut(entry, "/")
	name, dropin := strings.CutSuffix(name, ".d")
	if dropin && name == "service" {
		return true // every service
	}
	if name == "slice" || strings.HasSuffix(name, ".slice") {
		return !strings.HasPrefix(name, systemdSlices) // services inherit from it
	}
	bare, service := strings.CutSuffix(name, ".service")
	if !service {
		return false // such as foo.service.wants
	}
	if kind == letter(unix.DT_LNK) || dropin && (strings.HasSuffix(bare, "-") || strings.Contains(bare, "-@")) {
		return true
	}
	template := name
	if prefix, _, instance := strings.Cut(bare, "@"); instance {
		template = prefix + "@.service"
	}
	return slices.ContainsFunc(r.Patterns, func(p string) bool { return matches(p, name) || matches(p, template) })
}

// matches reports whether a pattern could match a name.
func matches(pattern, name string) bool {
	if pattern == name || !strings.ContainsAny(pattern, "*?[") {
		return pattern == name
	}
	ok, err := path.Match(pattern, name)
	return ok || err != nil
}
