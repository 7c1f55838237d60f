package harness

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/verdict"
)

// stages are what each of systemd's own exit statuses says of the directives that it may have failed to set up: where the
// names of systemd.exec(5), "Process Exit Codes", and their places in exec-invoke.c of systemd meet the columns of the table.
var stages = map[string]func(d *directive.Directive) bool{
	"ADDRESS_FAMILIES":  refusing("family"),
	"BPF":               refusing("file-system"),
	"CAPABILITIES":      traced(directive.Capabilities),
	"KEYRING":           refusing("keyring"),
	"NAMESPACE":         mounts,
	"NETWORK":           shows(network),
	"NO_NEW_PRIVILEGES": refusing("new-privileges"),
	"SECCOMP":           func(d *directive.Directive) bool { return d.Filters },
	"USER":              func(d *directive.Directive) bool { return d.Trace == users || d.Trace.Kind == directive.NotRoot },
}

// Namespaces that are set up at a step of their own; all others come with those of mounts.
var (
	network = directive.NamespaceTrace("net")
	users   = directive.NamespaceTrace("user")
)

func refusing(what directive.Refusal) func(*directive.Directive) bool {
	return func(d *directive.Directive) bool { return len(d.Refuses) == 1 && d.Refuses[0] == what }
}

func traced(kind directive.TraceKind) func(*directive.Directive) bool {
	return func(d *directive.Directive) bool { return d.Trace.Kind == kind }
}

func shows(t directive.Trace) func(*directive.Directive) bool {
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

// unset are the proposals of a trial in which systemd itself failed: whatever it sets up at that step, or for the path that it
// names, where that is little enough to step it down at once. What turns out to be innocent is put back in the end.
func unset(t Trial, ls []*lever, version int, root string) []proposal {
	could := stages[trial.ExitName(t.Status)]
	if could == nil {
		return nil
	}
	var all, named []proposal
	for _, l := range ls {
		if l.isOff() || !l.directive.Restricts() || !could(l.directive) {
			continue
		}
		p := proposal{directive: l.directive, evidence: t.Failures[0]}
		all = append(all, p)
		if line := l.mountedIn(t.Log, version, root); line != "" {
			p.evidence = verdict.Evidence{Kind: "log", Text: line}
			named = append(named, p)
		}
	}
	if len(named) > 0 {
		return named
	}
	if len(all) > maxUnset {
		return nil // bisection is shorter
	}
	return all
}

// maxUnset is how many directives are stepped down for a status of systemd's.
const maxUnset = 3

// mounting finds the path that systemd could not mount, below a directory of its own in some versions.
var mounting = regexp.MustCompile(`mount namespacing: (?:/run/systemd/(?:unit-root|mount-rootfs))?(/[^:]*):`)

// mountedIn returns the line of a log in which systemd could not mount what the lever mounts, in the root of the service; "" if none.
func (l *lever) mountedIn(log []string, version int, root string) string {
	for _, line := range log {
		m := mounting.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		file := path.Clean("/" + strings.TrimPrefix(m[1], root))
		if slices.ContainsFunc(l.directive.PathsOf(l.lines(version)), func(e directive.PathEffect) bool { return e.Path == file }) ||
			l.directive.Trace == directive.MountTrace(file) {
			return line
		}
	}
	return ""
}
