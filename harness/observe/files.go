package observe

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
)

// A File is what a launch left at a path that it had made, changed or removed.
type File struct {
	Kind    string      // such as "file" or "directory"; empty if nothing is there
	Leads   string      // the kind of what a link leads to; empty for what is no link
	Mode    fs.FileMode // permissions, and the bits for setuid, setgid and sticky
	Owner   string      // its user and group, as the place numbers them; empty if systemd chooses them at each start
	Size    int64
	Content string      // a hash of the content without numbers; empty if the content is not compared
	Used    fs.FileMode // the permissions by which somebody else than its owner can reach it
	Shared  bool        // it is in a directory for the temporary files of everybody
	Lasting bool        // it is still there after a boot
	Existed bool        // it was there before the launch
	Kept    bool        // the launch has not changed it
}

// Files are what a launch made, changed and removed, by path.
type Files map[string]File

// pair finds for each file of f the file of another launch that plays its part: the one of the same name, or else one
// whose name differs only in numbers.
func (f Files) pair(other Files) map[string]string {
	pairs, free := map[string]string{}, map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(other)) {
		if _, same := f[name]; same {
			pairs[name] = name
		} else {
			free[withoutNumbers(name)] = append(free[withoutNumbers(name)], name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if list := free[withoutNumbers(name)]; pairs[name] == "" && len(list) > 0 {
			pairs[name], free[withoutNumbers(name)] = list[0], list[1:]
		}
	}
	return pairs
}

// Paths lists what every launch without hardening made, changed or removed in a phase, sorted.
func (b Baselines) Paths(phase string) []string { return slices.Sorted(maps.Keys(b.files(phase))) }

// files returns, by the paths of the first launch, what each launch without hardening left there. It leaves out the
// paths that one of them did not touch.
func (b Baselines) files(phase string) map[string][]File {
	all := map[string][]File{}
	for i, l := range b {
		if i == 0 {
			for name, f := range l.Files[phase] {
				all[name] = []File{f}
			}
			continue
		}
		pairs := b[0].Files[phase].pair(l.Files[phase])
		for name := range all {
			if part, ok := pairs[name]; ok {
				all[name] = append(all[name], l.Files[phase][part])
			} else {
				delete(all, name)
			}
		}
	}
	return all
}

// CompareFiles says how the files of a hardened launch differ in a phase. What wavers between the launches without
// hardening is not compared.
func (b Baselines) CompareFiles(phase string, files Files) []Difference {
	if len(b) == 0 || files == nil {
		return nil
	}
	had := b.files(phase)
	pairs := b[0].Files[phase].pair(files)
	var list []Difference
	for _, name := range slices.Sorted(maps.Keys(had)) {
		c := fileComparison{name: name, had: had[name], now: files[pairs[name]]}
		list = append(list, c.differences()...)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f := files[name]
		if f.Kind == "" && !(f.Shared && f.Used == 0) && !b.touches(phase, name) {
			text := fmt.Sprintf("removes %s, which stays without hardening", name)
			list = append(list, Difference{Kind: FileMissing, Text: text, Path: name})
		}
	}
	return list
}

// touches reports whether a launch without hardening changed a path, or one whose name differs only in numbers.
func (b Baselines) touches(phase, name string) bool {
	for _, l := range b {
		for other := range l.Files[phase] {
			if withoutNumbers(other) == withoutNumbers(name) {
				return true
			}
		}
	}
	return false
}

// A fileComparison compares a file of a hardened launch with those of all launches without hardening.
type fileComparison struct {
	name string
	had  []File
	now  File
}

// all reports whether something is true of all files without hardening.
func (c fileComparison) all(is func(File) bool) bool {
	return !slices.ContainsFunc(c.had, func(f File) bool { return !is(f) })
}

func (c fileComparison) differs(kind Kind, format string, args ...any) []Difference {
	return []Difference{{Kind: kind, Text: fmt.Sprintf(format, args...), Path: c.name}}
}

func (c fileComparison) differences() []Difference {
	gone := func(f File) bool { return f.Kind == "" }
	switch {
	case c.all(gone) && !gone(c.now):
		return c.differs(FileChanged, "does not remove %s, as it does without hardening", c.name)
	case slices.ContainsFunc(c.had, gone), c.all(func(f File) bool { return f.Shared && f.Used == 0 }):
		return nil // it wavers, or is a temporary file that nobody else could see, and nobody misses
	case gone(c.now) && c.had[0].Existed:
		return c.differs(FileMissing, "removes %s, which stays without hardening", c.name)
	case gone(c.now):
		return c.differs(FileMissing, "does not make %s, as it does without hardening", c.name)
	case c.now.Kept && c.now.Kind == "file" && c.all(func(f File) bool { return !f.Kept }):
		return c.differs(FileUnwritten, "does not change %s, as it does without hardening", c.name)
	}
	return slices.Concat(c.attributes(), c.content())
}

// attributes compares kind, mode and owner.
func (c fileComparison) attributes() []Difference {
	had, now := c.had[0], c.now
	switch {
	case now.Leads == had.Kind && had.Kind != "": // systemd has moved it, for DynamicUser=
		return nil
	case now.Kind != had.Kind && c.all(func(f File) bool { return f.Kind == had.Kind }):
		return c.differs(FileChanged, "makes %s a %s, without hardening a %s", c.name, now.Kind, had.Kind)
	case now.Kind != had.Kind:
		return nil
	case c.modeMatters() && c.all(func(f File) bool { return f.Mode == had.Mode }):
		return c.differs(
			FileMode, "makes %s with mode %s, without hardening %s", c.name, octal(now.Mode), octal(had.Mode))
	case now.Owner != "" && had.Owner != "" && now.Owner != had.Owner &&
		c.all(func(f File) bool { return f.Owner == had.Owner }):
		return c.differs(FileChanged, "gives %s to %s, without hardening to %s", c.name, now.Owner, had.Owner)
	}
	return nil
}

// modeMatters reports whether the mode differs in a way that somebody can notice. Permissions for others do not count
// if nobody could make use of them, or if they could read only a number: the ids of processes are in /proc for all. Of
// a socket only those to write count (unix(7)).
func (c fileComparison) modeMatters() bool {
	const others, write = 0o077, 0o222
	had := c.had[0]
	lost, gained := had.Mode&^c.now.Mode, c.now.Mode&^had.Mode
	if had.Kind == "socket" {
		lost, gained = lost&write, gained&write
	}
	used := had.Used
	if slices.Contains(onlyNumber, had.Content) {
		used &^= 0o044
	}
	return gained != 0 || lost&^others != 0 || lost&used != 0
}

// muchSmaller is how many times smaller a file must be to differ in size: contents waver.
const muchSmaller = 8

// content compares size and content.
func (c fileComparison) content() []Difference {
	had, now := c.had[0], c.now
	least, most := had.Size, had.Size
	for _, f := range c.had {
		least, most = min(least, f.Size), max(most, f.Size)
	}
	switch {
	case now.Kind != "file" && now.Kind != "link" || now.Kind != had.Kind:
		return nil
	case now.Size == 0 && least > 0:
		return c.differs(FileUnwritten, "leaves %s empty, which has content without hardening", c.name)
	case now.Size > 0 && most == 0:
		return c.differs(FileContent, "writes to %s, which stays empty without hardening", c.name)
	case now.Size < least/muchSmaller:
		return c.differs(FileContent, "writes %d bytes to %s, without hardening %d", now.Size, c.name, least)
	case now.Content != had.Content && now.Content != "" &&
		c.all(func(f File) bool { return f.Content == had.Content && f.Content != "" }):
		other := c.differs(FileContent, "writes other content to %s than without hardening", c.name)
		other[0].Content = now.Content
		return other
	}
	return nil
}

// octal writes a mode as chmod(1) takes it.
func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	special := map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000}
	for bit, value := range special {
		if mode&bit != 0 {
			bits |= value
		}
	}
	return fmt.Sprintf("%04o", bits)
}
