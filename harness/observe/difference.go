package observe

import (
	"path"
	"slices"
	"strings"
)

// A Difference is one way in which a hardened launch differs from all launches without hardening.
type Difference struct {
	Kind Kind
	Text string
	Path string // of the file or the mount that differs; empty for other kinds
	Line string // that is logged; empty for other kinds
}

// A Kind says what differs.
type Kind int

// The kinds of differences.
const (
	Running     Kind = iota // sockets, processes, states, and how commands ended
	Logged                  // an error in the log
	NewLine                 // another line in the log; no reason to fail
	Mounted                 // a mount that others do not see
	FileMissing             // a file that is not there
	FileMode                // the mode of a file
	FileContent             // what is in a file
	FileChanged             // kind or owner of a file, or that it is still there
	Answered                // the answer to a probe
)

// IsAdvisory reports whether the difference is told, and does not make the launch fail.
func (d Difference) IsAdvisory() bool { return d.Kind == NewLine }

// MayWaver reports whether such a difference is often there between two launches without hardening as well.
func (d Difference) MayWaver() bool { return d.Kind == FileContent }

// isMeant reports whether a profile says that the difference is meant: by a pattern of a path that matches the file or
// a directory above it, or by a part of the line that is logged.
func (d Difference) isMeant(expected []string) bool {
	return slices.ContainsFunc(expected, func(e string) bool {
		if !strings.HasPrefix(e, "/") {
			return d.Line != "" && strings.Contains(d.Line, e)
		}
		for name := d.Path; name != "" && name != "/"; name = path.Dir(name) {
			if ok, _ := path.Match(e, name); ok { // the profile was checked
				return true
			}
		}
		return false
	})
}
