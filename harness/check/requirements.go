package check

import (
	"path"
	"strings"

	"temper/profiles"
)

// missing returns what a check needs and the place does not have: a program or a path of its requires, or the program
// of its command. It returns "" if nothing is missing.
func missing(where Place, c profiles.Check) string {
	for _, name := range c.Requires {
		if path.IsAbs(name) && !exists(where, name) {
			return name
		}
		if !path.IsAbs(name) && !where.HasProgram(name) {
			return name
		}
	}
	if c.Exec != nil && len(c.Exec.Command) > 0 && c.Exec.Status != commandNotFound {
		if program := c.Exec.Command[0]; !where.HasProgram(program) {
			return program
		}
	}
	return ""
}

// exists reports whether a path exists as the place sees it.
func exists(where Place, name string) bool {
	found := false
	_ = where.Inside(func() error { // an error means that the place cannot be asked: the check will say so
		_, err := where.Root().Stat(ofPlace(name))
		found = err == nil
		return nil
	})
	return found
}

// ofPlace returns the path by which this process sees a file of proc(5) as the place does: /proc/net belongs to the
// process that reads it, which is not in the place.
func ofPlace(name string) string {
	if rest, ok := strings.CutPrefix(name, "/proc/net/"); ok {
		return "/proc/1/net/" + rest
	}
	return name
}
