package observe

import (
	"cmp"
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
	// Content stands for what is in a file that differs in that alone; empty for others.
	Content string

	Wavers bool // two launches of the same text disagree about it
}

// A Kind says what differs.
type Kind int

// The kinds of differences.
const (
	Running       Kind = iota // sockets, processes, states, and how commands ended
	Logged                    // an error in the log
	NewLine                   // another line in the log; no reason to fail
	Mounted                   // a mount that others do not see
	FileMissing               // a file that is not there
	FileMode                  // the mode of a file
	FileUnwritten             // a file that is not written
	FileContent               // what is in a file
	FileChanged               // kind or owner of a file, or that it is still there
	Answered                  // the answer to a probe
)

// IsAdvisory reports whether the difference is told, and does not make the launch fail.
func (d Difference) IsAdvisory() bool { return d.Kind == NewLine || d.Wavers }

// MayWaver reports whether such a difference is often there between two launches without hardening as well: what
// processes do at the same time comes out in one order or another.
func (d Difference) MayWaver() bool {
	return slices.Contains(
		[]Kind{Logged, Mounted, FileMissing, FileUnwritten, FileContent, FileChanged, Answered}, d.Kind)
}

// Same reports whether two differences are about the same line, file or answer.
func (d Difference) Same(other Difference) bool {
	return d.Kind == other.Kind && d.about() == other.about()
}

// Repeats reports whether two differences are the same, and have the same content: one that is another one in each
// launch says nothing, though some launches without hardening had the same by chance.
func (d Difference) Repeats(other Difference) bool {
	return d.Same(other) && d.Content == other.Content
}

// about is what the difference is about, without what changes from launch to launch.
func (d Difference) about() string {
	if d.Line != "" {
		return alike(d.Line)
	}
	return withoutNumbers(cmp.Or(d.Path, d.Text))
}

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
