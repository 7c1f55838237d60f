package blame

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/internal/verdict"
)

// A Proposal is a step down that evidence suggests.
type Proposal struct {
	Directive *directive.Directive
	Names     []string // exact exceptions; none = the next weaker value
	// Refused is what the weaker value must no longer refuse; the zero Restriction if the table does not say which
	// values refuse it.
	Refused  witness.Restriction
	Evidence verdict.Evidence
	Together bool // the call that the evidence is about needs all proposals with this evidence, or none helps
}

// proposals turns symptoms into proposals against the likeliest cause of each that the plan has.
func (s Service) proposals(symptoms []symptom, plan []Applied) []Proposal {
	var list []Proposal
	for _, c := range symptoms {
		for _, a := range s.likeliest(c, plan) { // if that does not help, the next call proposes the next one
			p := s.proposal(a.Applied, a.restriction, c.evidence)
			p.Together = c.together > 0
			list = append(list, p)
		}
	}
	return list
}

// likeliest returns what of the plan is the likeliest cause of a symptom.
func (s Service) likeliest(c symptom, plan []Applied) (found []accusation) {
	for i, r := range c.restrictions {
		if i >= c.together && len(found) > 0 {
			break
		}
		for _, a := range s.accusations(r, plan) {
			a.together = i < c.together
			found = append(found, a)
		}
	}
	return found
}

// nextProposals returns what would lift the refusals that a service would meet next, where no filter refused its calls.
func (s Service) nextProposals(refused witness.Record, plan []Applied) []Proposal {
	var list []Proposal
	for _, d := range refused.Denials {
		for _, a := range s.refusedNext(d, refused, plan) {
			why := verdict.Evidence{Kind: "refused", Text: d.String()}
			p := s.proposal(a.Applied, a.restriction, why)
			p.Together = a.together
			list = append(list, p)
		}
	}
	return list
}

// proposal returns what would lift a restriction that a directive causes: an exact exception where the directive can
// have some, else a step to a weaker value.
func (s Service) proposal(a Applied, r witness.Restriction, why verdict.Evidence) Proposal {
	p := Proposal{Directive: a.Directive, Evidence: why}
	switch r.Kind {
	case refusal.PathReadOnly, refusal.PathHidden, refusal.PathAbsent, refusal.MountHidden, refusal.Capability:
		p.Refused = r
	}
	exception := s.exception
	if a.Directive.Showing(r.Kind) != nil {
		exception = s.showing
	}
	if d, names := exception(a, r); len(names) > 0 {
		p.Directive, p.Names = d, names
	}
	return p
}

// exception returns the exact exceptions that allow what was refused, and the directive that lists them; no names if
// there is no exact exception.
func (s Service) exception(a Applied, r witness.Restriction) (*directive.Directive, []string) {
	holder := cmp.Or(ExceptionsOf(a.Directive), LiftingDirective(r.Kind))
	switch file := s.absolute(r.Subject); {
	case r.Kind == refusal.PathReadOnly && path.IsAbs(file):
		dir := s.writable(file)
		if slices.Contains(covering(a, file), dir) { // systemd takes the stronger of two assignments about one path
			return a.Directive, []string{dir}
		}
		if dir != "" {
			return holder, []string{s.exceptionFor(dir)}
		}
	case r.Kind == refusal.PathNoExec && path.IsAbs(r.Subject):
		return holder, []string{s.exceptionFor(r.Subject)}
	case r.Kind == refusal.Device && holder != nil:
		return holder, []string{r.Subject + " rw"}
	case r.Kind == refusal.Network && holder != nil:
		return holder, []string{withoutPort(r.Subject)}
	case r.Kind == refusal.SocketBind && holder != nil:
		return holder, PortRules([]string{"tcp " + r.Subject, "udp " + r.Subject})
	case r.Kind == refusal.PathHidden:
		return a.Directive, covering(a, r.Subject)
	case canExcept(a.Directive, r):
		return a.Directive, []string{r.Subject}
	}
	return a.Directive, nil
}

// showing returns the directive by which a service sees a file again that another one hides, and the path to show. If
// that is all of what the other one covers there, it is an exception from that one itself.
func (s Service) showing(a Applied, r witness.Restriction) (*directive.Directive, []string) {
	file := s.absolute(r.Subject)
	if !path.IsAbs(file) {
		return a.Directive, nil
	}
	shown := s.shown(file)
	if slices.Contains(covering(a, file), shown) {
		return a.Directive, []string{shown}
	}
	list := a.Directive.Showing(r.Kind)
	if shown == "" || list.Check([]string{shown}) != nil {
		return a.Directive, nil
	}
	return list, []string{shown}
}

// canExcept reports whether a directive refuses, by itself, a name from which it can have an exact exception.
func canExcept(d *directive.Directive, r witness.Restriction) bool {
	return d.HasExceptions() && r.Subject != "any" && slices.Contains(d.Refuses, r.Kind)
}

// covering returns the elements of a list of paths that hide a file; none if the directive is no list of paths.
func covering(a Applied, file string) []string {
	return slices.DeleteFunc(a.Directive.Exceptions(a.Want, 0), func(p string) bool {
		return !strings.HasPrefix(p, "/") || !host.Below(p, file)
	})
}

// withoutPort is the address of a socket without its port.
func withoutPort(address string) string {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return a.Addr().String()
	}
	return address
}

// PortRules returns the exceptions, in the form of SocketBindAllow=, for sockets in the form "tcp 0.0.0.0:80".
func PortRules(sockets []string) []string {
	var rules []string
	for _, s := range sockets {
		protocol, address, _ := strings.Cut(s, " ")
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			continue
		}
		if rule := fmt.Sprintf("%s:%d", protocol, a.Port()); !slices.Contains(rules, rule) {
			rules = append(rules, rule)
		}
	}
	return rules
}

// ExceptionsOf returns the directive that lists the exceptions from another one; nil if there is none.
func ExceptionsOf(d *directive.Directive) *directive.Directive {
	return findDirective(func(e *directive.Directive) bool { return e.With == d.Name })
}

// LiftingDirective returns the directive that allows a kind of refusal, whichever directive causes it; nil if there is
// none.
func LiftingDirective(refused refusal.Kind) *directive.Directive {
	return findDirective(func(e *directive.Directive) bool { return e.Lifts == refused })
}

func findDirective(is func(*directive.Directive) bool) *directive.Directive {
	all := directive.All()
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}
