package unit

import (
	"path"
	"strings"
)

// maxName is the length that a unit name must stay below (UNIT_NAME_MAX in systemd).
const maxName = 256

// kinds are the unit types: the sections that a unit of the type has in addition to [Unit] and [Install], whether it
// can have aliases and templates, and whether it exists without a fragment.
var kinds = []kind{
	{name: "service", sections: "Service", alias: true, template: true},
	{name: "socket", sections: "Socket", alias: true, template: true},
	{name: "target", sections: "", alias: true, template: true},
	{name: "device", sections: "", alias: true, free: true},
	{name: "mount", sections: "Mount"},
	{name: "automount", sections: "Automount"},
	{name: "swap", sections: "Swap"},
	{name: "timer", sections: "Timer", alias: true, template: true},
	{name: "path", sections: "Path", alias: true, template: true},
	{name: "slice", sections: "Slice", free: true},
	{name: "scope", sections: "Scope", free: true},
}

type kind struct {
	name            string
	sections        string
	alias, template bool
	free            bool // needs no fragment
}

func kindOf(name string) (k kind, ok bool) {
	for _, k := range kinds {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

// ValidName reports whether name is a unit name: plain, a template or an instance (systemd.unit(5)).
func ValidName(name string) bool {
	dot := strings.LastIndexByte(name, '.')
	if dot <= 0 || len(name) >= maxName {
		return false
	}
	if _, ok := kindOf(name[dot+1:]); !ok {
		return false
	}
	return name[0] != '@' && allIn(name[:dot], true)
}

// IsTemplate reports whether name is the name of a template, such as foo@.service.
func IsTemplate(name string) bool {
	_, instance, ok := splitName(name)
	return ok && instance == ""
}

// IsInstance reports whether name is the name of an instance, such as foo@bar.service.
func IsInstance(name string) bool {
	_, instance, _ := splitName(name)
	return instance != ""
}

// Template returns the template of an instance or of a template: foo@.service for foo@bar.service. It is "" for other
// names.
func Template(name string) string {
	prefix, _, ok := splitName(name)
	if !ok {
		return ""
	}
	return prefix + "@." + Type(name)
}

// Type returns the unit type that the name ends in, such as "service".
func Type(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// Prefix returns the part of a name before the first "@" or, if there is none, before the type.
func Prefix(name string) string {
	if prefix, _, ok := splitName(name); ok {
		return prefix
	}
	return stem(name)
}

// Instance returns the part of a name between the first "@" and the type, still escaped, or "".
func Instance(name string) string {
	_, instance, _ := splitName(name)
	return instance
}

// Instantiate returns an instance of a template, which can be given as the template or as any instance of it:
// foo@.service and bar make foo@bar.service. It returns "" if that is not a valid unit name.
func Instantiate(template, instance string) string {
	prefix, _, ok := splitName(template)
	name := prefix + "@" + instance + "." + Type(template)
	if !ok || instance == "" || !ValidName(name) {
		return ""
	}
	return name
}

// splitName splits a valid name with an "@" in it.
func splitName(name string) (prefix, instance string, ok bool) {
	at := strings.IndexByte(name, '@')
	if at < 0 || !ValidName(name) {
		return "", "", false
	}
	return name[:at], name[at+1 : strings.LastIndexByte(name, '.')], true
}

// stem is the name without its type.
func stem(name string) string {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return name[:dot]
	}
	return name
}

// allIn reports whether s has only characters of unit names.
func allIn(s string, at bool) bool {
	for i := 0; i < len(s); i++ {
		if !inName(s[i]) && !(at && s[i] == '@') {
			return false
		}
	}
	return true
}

func inName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(`:-_.\`, c) >= 0
}

// ControlGroup is the path of the control group of a service below the root of the hierarchy, as in
// "/system.slice/web.service".
func (u *Unit) ControlGroup() string {
	slice, _ := u.Last("Service", "Slice")
	name, err := u.Expand(slice.Value)
	switch {
	case err == nil && strings.HasSuffix(name, ".slice"):
	case Instance(u.ID) != "":
		name = "system-" + Escape(Prefix(u.ID)) + ".slice"
	default:
		name = "system.slice"
	}
	return path.Join("/", sliceDirectory(name), u.ID)
}

// sliceDirectory is the directory of a slice: a dash in its name separates it from the slice that it is in;
// systemd.slice(5).
func sliceDirectory(name string) string {
	dir, words := "", strings.Split(strings.TrimSuffix(name, ".slice"), "-")
	for i := range words {
		if parent := strings.Join(words[:i+1], "-"); parent != "" && parent != "-" {
			dir = path.Join(dir, parent+".slice")
		}
	}
	return dir
}
