package usage

import (
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/observe"
	"temper/harness/trial"
	"temper/internal/directive"
	"temper/internal/refusal"
	"temper/internal/values"
	"temper/internal/verdict"
)

// grants lists what the vendor's unit grants by name, and whether a launch was seen to make use of it. Of devices,
// groups and families in which the service does not listen no launch shows that.
func (l Launches) grants() []verdict.Grant {
	list := []verdict.Grant{}
	if l.Unit == nil {
		return list
	}
	launches := append(slices.Clone(l.Baselines), l.Hardened)
	for _, n := range generator.Needs(l.Unit, l.Version) {
		used := slices.ContainsFunc(launches, func(r trial.Result) bool { return makesUseOf(r, n) })
		list = append(list, verdict.Grant{Directive: n.Directive, Name: n.Name, Used: used})
	}
	return list
}

// makesUseOf reports whether a launch was seen to make use of what is granted.
func makesUseOf(r trial.Result, n directive.Need) bool {
	switch {
	case n.RefusedAs(refusal.Capability):
		set, ok := values.ParseCapability(n.Subject)
		return ok && r.Refused.Granted.Has(set)
	case n.RefusedAs(refusal.Family):
		return listensIn(r.Seen, n.Subject)
	case n.RefusedAs(refusal.PathReadOnly):
		return writesBelow(r.Seen, n)
	}
	return false
}

// listensIn reports whether a service listens on a socket of an address family.
func listensIn(seen observe.Launch, family string) bool {
	for _, s := range seen.Phases {
		for socket := range s.Sockets {
			kind, address, _ := strings.Cut(socket, " ")
			if family == familyOf(kind, address) {
				return true
			}
		}
	}
	return false
}

func familyOf(kind, address string) string {
	switch {
	case strings.HasPrefix(kind, "unix"):
		return "AF_UNIX"
	case strings.HasPrefix(address, "["):
		return "AF_INET6"
	}
	return "AF_INET"
}

// writesBelow reports whether a service makes, changes or removes something in a directory that may be written.
func writesBelow(seen observe.Launch, n directive.Need) bool {
	d, known := directive.Lookup(n.Directive)
	for _, files := range seen.Files {
		for name, f := range files {
			if known && !f.Kept && d.Gives(n.Name, refusal.PathReadOnly, name, 0) {
				return true
			}
		}
	}
	return false
}
