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

// A Proposal is a step down that evidence speaks for.
type Proposal struct {
	Directive *directive.Directive
	Names     []string // exact exceptions to make; none = the next weaker value
	// Refused is what the weaker value must no longer refuse; the zero Restriction if the table does not tell values
	// apart.
	Refused  witness.Restriction
	Evidence verdict.Evidence
}

// relieve turns complaints into proposals: the likeliest cause of each that the plan has, exact where its directive has
// exceptions, one value down where it has none.
func (s Service) relieve(complaints []complaint, plan []Applied) []Proposal {
	var list []Proposal
	for _, c := range complaints {
		for _, r := range c.restrictions {
			found := s.suspects(r, plan)
			for _, a := range found {
				list = append(list, s.relief(a, r, c.evidence))
			}
			if len(found) > 0 {
				break // the likeliest; if that does not help, it is no suspect any more and the next is
			}
		}
	}
	return list
}

// relief is what would lift a restriction that a directive causes: an exception where there are exact ones, else a step
// down.
func (s Service) relief(a Applied, r witness.Restriction, why verdict.Evidence) Proposal {
	p := Proposal{Directive: a.Directive, Evidence: why}
	if r.Kind == refusal.PathReadOnly || r.Kind == refusal.PathHidden {
		p.Refused = r
	}
	if d, names := s.exception(a, r); len(names) > 0 {
		p.Directive, p.Names = d, names
	}
	return p
}

// exception is what would allow exactly what was refused, and the directive that holds it; none where there is no exact
// one.
func (s Service) exception(a Applied, r witness.Restriction) (*directive.Directive, []string) {
	holder := cmp.Or(ExceptionsOf(a.Directive), Lifting(r.Kind))
	switch file := s.absolute(r.Subject); {
	case r.Kind == refusal.PathReadOnly && path.IsAbs(file):
		if dir := s.writable(file); dir != "" {
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
	case a.Directive.HasExceptions() && r.Subject != "any":
		return a.Directive, []string{equivalents(r)}
	}
	return a.Directive, nil
}

// covering are the elements of a list of paths that cover a file; none if the directive is no such list.
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

// PortRules are the exceptions, as SocketBindAllow= has them, for sockets as they are observed: "tcp 0.0.0.0:80".
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

// ExceptionsOf returns the directive that holds the exceptions of another; nil if none does.
func ExceptionsOf(d *directive.Directive) *directive.Directive {
	return first(func(e *directive.Directive) bool { return e.With == d.Name })
}

// Lifting returns the directive that lifts what was refused, whichever directive refuses it; nil if none does.
func Lifting(refused refusal.Kind) *directive.Directive {
	return first(func(e *directive.Directive) bool { return e.Lifts == refused })
}

func first(is func(*directive.Directive) bool) *directive.Directive {
	all := directive.All()
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i]
	}
	return nil
}
