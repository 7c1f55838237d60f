package needs

import (
	"path"
	"slices"
	"strings"
	"sync"

	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/syscalls"
)

// Matters reports whether a directive could have refused a use. made says that the service has made the file itself: a
// directive that gives it an empty directory of its own would not have hurt then.
func Matters(kind refusal.Kind, subject string, made bool) bool {
	switch kind {
	case refusal.PathReadOnly:
		return path.IsAbs(subject) && slices.ContainsFunc(directive.All(), func(d *directive.Directive) bool {
			return affects(d, subject, directive.ReadOnly)
		})
	case refusal.PathHidden:
		return path.IsAbs(subject) && slices.ContainsFunc(directive.All(), func(d *directive.Directive) bool {
			return affects(d, subject, directive.Hidden) && !(made && replaces(d, subject))
		})
	case refusal.Syscall:
		return !isHarmless(subject)
	}
	return slices.ContainsFunc(directive.All(), func(d *directive.Directive) bool {
		return slices.Contains(d.Refuses, kind)
	})
}

// affects reports whether a directive takes a path away by itself, and mounts nothing writable over it again.
func affects(d *directive.Directive, file string, mode directive.PathMode) bool {
	return slices.ContainsFunc(d.Paths, func(e directive.PathEffect) bool {
		if e.Mode != mode || !host.Below(e.Path, file) {
			return false
		}
		return !slices.ContainsFunc(d.Mounts, func(m directive.Mount) bool {
			return m.Writable && len(m.Path) > len(e.Path) && host.Below(m.Path, file)
		})
	})
}

// replaces reports whether a directive gives the service something writable of its own where a file lies.
func replaces(d *directive.Directive, file string) bool {
	return slices.ContainsFunc(d.Mounts, func(m directive.Mount) bool { return m.Writable && host.Below(m.Path, file) })
}

// Normal returns the subject of a use as it is recorded: a path without detours, and without the number of a process,
// which is another one next time.
func Normal(kind refusal.Kind, subject string) string {
	if path.IsAbs(subject) {
		subject = path.Clean(subject)
	}
	if kind != refusal.ProcessHidden {
		return subject
	}
	if rest, below := strings.CutPrefix(subject, "/proc/"); below {
		_, file, _ := strings.Cut(rest, "/")
		return path.Join("/proc/PID", file)
	}
	return subject
}

// givesTooMuch reports whether an exception of a whole directory, which ends in a slash, would give back most of what a
// directive takes.
func givesTooMuch(kind refusal.Kind, dir string) bool { return slices.Contains(undone()[kind], dir) }

// undone lists those directories by what they would allow.
var undone = sync.OnceValue(func() map[refusal.Kind][]string {
	dirs := map[refusal.Kind][]string{}
	for _, d := range directive.All() {
		kinds := []refusal.Kind{d.Lifts}
		if of, known := directive.Lookup(d.With); known {
			kinds = append(kinds, of.Refuses...)
		}
		for _, kind := range kinds {
			for _, dir := range d.Undoes {
				dirs[kind] = append(dirs[kind], dir+"/")
			}
		}
	}
	return dirs
})

// isHarmless reports whether every system call filter allows a call; systemd.exec(5).
func isHarmless(call string) bool {
	versions := syscalls.Versions()
	calls, _ := syscalls.Group("@default", versions[len(versions)-1])
	return slices.Contains(calls, call)
}
