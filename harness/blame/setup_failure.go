package blame

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// setUpAt tells for each of systemd's own exit statuses which directives it may have failed to set up: where the names
// of systemd.exec(5), "Process Exit Codes", and their places in exec-invoke.c of systemd meet the columns of the table.
var setUpAt = map[string]func(d *directive.Directive) bool{
	"ADDRESS_FAMILIES":  refusing("family"),
	"BPF":               refusing("file-system"),
	"CAPABILITIES":      tracedBy(directive.Capabilities),
	"KEYRING":           refusing("keyring"),
	"NAMESPACE":         mounts,
	"NETWORK":           traced(network),
	"NO_NEW_PRIVILEGES": refusing("new-privileges"),
	"SECCOMP":           func(d *directive.Directive) bool { return d.Filters },
	"USER": func(d *directive.Directive) bool {
		return d.Trace == users ||
			d.Trace.Kind == directive.NotRoot
	},
}

// Namespaces that are set up at a step of their own; all others come with those of mounts.
var (
	network = directive.NamespaceTrace("net")
	users   = directive.NamespaceTrace("user")
)

func refusing(what refusal.Kind) func(*directive.Directive) bool {
	return func(d *directive.Directive) bool { return len(d.Refuses) == 1 && d.Refuses[0] == what }
}

func tracedBy(kind directive.TraceKind) func(*directive.Directive) bool {
	return func(d *directive.Directive) bool { return d.Trace.Kind == kind }
}

func traced(t directive.Trace) func(*directive.Directive) bool {
	return func(d *directive.Directive) bool { return d.Trace == t }
}

// mounts reports whether a directive is set up by mounting, or by a namespace of another kind at the same step.
func mounts(d *directive.Directive) bool {
	switch d.Trace.Kind {
	case directive.OwnMount, directive.MountOption:
		return true
	case directive.OwnNS:
		return d.Trace != network && d.Trace != users
	}
	return len(d.Paths) > 0
}

// maxNotSetUp is how many directives are stepped down at once for an exit status of systemd's own: of more, bisection
// finds the one sooner.
const maxNotSetUp = 3

// notSetUp are the proposals of a launch in which systemd itself failed: whatever it sets up at that step, or for the
// path that its message names. What turns out to be innocent is put back in the end.
func (s Service) notSetUp(seen Seen, plan []Applied) []Proposal {
	could := setUpAt[seen.Exit]
	if could == nil {
		return nil
	}
	var all, named []Proposal
	for _, a := range plan {
		if a.Lines == nil || !a.Directive.Restricts() || !could(a.Directive) {
			continue
		}
		all = append(all, Proposal{Directive: a.Directive, Evidence: seen.Failure})
		if line := s.mountedIn(seen.Log, a); line != "" {
			named = append(named, Proposal{Directive: a.Directive, Evidence: verdict.Evidence{Kind: "log", Text: line}})
		}
	}
	if len(named) > 0 {
		return named
	}
	if len(all) > maxNotSetUp {
		return nil
	}
	return all
}

// mounting finds the path that systemd could not mount, below a directory of its own in some versions.
var mounting = regexp.MustCompile(`mount namespacing: (?:/run/systemd/(?:unit-root|mount-rootfs))?(/[^:]*):`)

// mountedIn returns the line of a log in which systemd could not mount what a directive mounts; empty if there is none.
func (s Service) mountedIn(log []string, a Applied) string {
	for _, line := range log {
		m := mounting.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		file := path.Clean("/" + strings.TrimPrefix(m[1], s.root))
		if slices.ContainsFunc(
			a.Directive.PathsOf(a.Lines),
			func(e directive.PathEffect) bool { return e.Path == file },
		) ||
			a.Directive.Trace == directive.MountTrace(file) {
			return line
		}
	}
	return ""
}
