package blame

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// directivesOfStep says for each exit status of systemd's own which directives systemd may have failed to set up. It
// connects the names of systemd.exec(5), "Process Exit Codes", and the steps of exec-invoke.c of systemd with the
// columns of the table of directives.
var directivesOfStep = map[string]func(d *directive.Directive) bool{
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

// Namespaces that systemd sets up at their own steps. It sets up all others together with the mount namespace.
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

// mounts reports whether systemd sets up a directive at the step of the mount namespace.
func mounts(d *directive.Directive) bool {
	switch d.Trace.Kind {
	case directive.OwnMount, directive.MountOption:
		return true
	case directive.OwnNS:
		return d.Trace != network && d.Trace != users
	}
	return len(d.Paths) > 0
}

// maxSetupProposals is how many directives are stepped down together for an exit status of systemd's own. Among more of
// them, bisection finds the culprit faster.
const maxSetupProposals = 3

// setupProposals are the proposals for a launch in which systemd itself failed: all directives that it sets up at the
// failed step, or only those for the path that its message names. The search puts back at the end what is innocent.
func (s Service) setupProposals(seen Seen, plan []Applied) []Proposal {
	if found := s.missingAtSetup(seen, plan); len(found) > 0 {
		return found
	}
	could := directivesOfStep[seen.Exit]
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
	if len(all) > maxSetupProposals {
		return nil
	}
	return all
}

// missingAtSetup are the proposals for a path that systemd did not find while it set the service up, since a directive
// hides what is above it: one that the unit lists and that has to exist, or its working directory.
func (s Service) missingAtSetup(seen Seen, plan []Applied) []Proposal {
	var list []Proposal
	propose := func(file string, why verdict.Evidence) {
		r := witness.Restriction{Kind: refusal.PathAbsent, Subject: file}
		for _, a := range s.suspects(r, plan) {
			list = append(list, s.proposal(a, r, why))
		}
	}
	if seen.Exit == "CHDIR" && s.Exists(s.home) {
		propose(s.home, seen.Failure)
	}
	for _, line := range seen.Log {
		if file := s.notMounted(line); file != "" && strings.Contains(line, "No such file") && s.Exists(file) {
			propose(file, verdict.Evidence{Kind: "log", Text: line})
		}
	}
	return list
}

// mounting finds the path that systemd could not mount. Some versions write it below a directory of systemd's own.
var mounting = regexp.MustCompile(`mount namespacing: (?:/run/systemd/(?:unit-root|mount-rootfs))?(/[^:]*):`)

// mountedIn returns the line of a log that says that systemd could not mount what a directive mounts; empty if there is
// none.
func (s Service) mountedIn(log []string, a Applied) string {
	for _, line := range log {
		file := s.notMounted(line)
		if file == "" {
			continue
		}
		isFile := func(e directive.PathEffect) bool { return e.Path == file }
		mounts := slices.ContainsFunc(a.Directive.PathsOf(a.Lines), isFile)
		if mounts || a.Directive.Trace == directive.MountTrace(file) {
			return line
		}
	}
	return ""
}

// notMounted returns the path of the service that systemd could not mount, as a line of its log says; empty if it says
// something else.
func (s Service) notMounted(line string) string {
	if m := mounting.FindStringSubmatch(line); m != nil {
		return path.Clean("/" + strings.TrimPrefix(m[1], s.root))
	}
	return ""
}
