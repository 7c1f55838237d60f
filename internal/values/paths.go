package values

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxPath      = 4095
	maxComponent = 255
)

// SimplifyPath returns a path as systemd stores it: without double slashes, "." components and a slash at the end. ok
// is false for a path that systemd refuses: one that is empty, too long or not UTF-8, or has a ".." component.
func SimplifyPath(path string, version int) (simple string, ok bool) {
	if path == "" || !utf8.ValidString(path) {
		return "", false
	}
	absolute := strings.HasPrefix(path, "/")
	parts := slices.DeleteFunc(strings.Split(path, "/"), func(p string) bool { return p == "" || p == "." })
	for absolute && version >= sinceLeadingDotDot && len(parts) > 0 && parts[0] == ".." {
		parts = parts[1:]
	}
	for _, p := range parts {
		if p == ".." || len(p) > maxComponent {
			return "", false
		}
	}
	simple = strings.Join(parts, "/")
	if absolute {
		simple = "/" + simple
	} else if simple == "" {
		simple = "."
	}
	return simple, len(simple) <= maxPath
}
