package search

import (
	"fmt"
	"slices"

	"temper/harness/clone"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// turnOffAlike turns off all directives that enforce the same property as a culprit and a second directive that was
// stepped down: then most likely the property breaks the service. The search puts back at the end what is innocent.
func (s *search) turnOffAlike(culprit *candidate) {
	for _, property := range s.enforced(culprit) {
		var alike []*candidate
		for _, c := range s.candidates {
			if c.directive.Restricts() && slices.Contains(s.enforced(c), property) {
				alike = append(alike, c)
			}
		}
		given := slices.DeleteFunc(slices.Clone(alike), func(c *candidate) bool { return c.level == 0 })
		if len(given) < 2 {
			continue
		}
		why := fmt.Sprintf("sets %s= here too, as %s= and %s= do, which break it",
			property, given[0].directive.Name, given[1].directive.Name)
		var taken []step
		for _, c := range alike {
			if slices.Contains(given, c) {
				continue
			}
			c.turnOff()
			c.exceptionsUntried = true
			c.evidence = append(c.evidence, verdict.Evidence{Kind: "implied", Text: c.directive.Name + "= " + why})
			taken = append(taken, step{candidate: c})
		}
		s.batches = append(s.batches, batch{steps: taken})
	}
}

// enforced lists the directives that a candidate sets: itself, and those that it implies.
func (s *search) enforced(c *candidate) []string {
	names := []string{c.directive.Name}
	for _, e := range c.directive.Brings(s.input.Version, isUnprivileged(s.input.Unit)) {
		names = append(names, e.Directive)
	}
	return names
}

// isUnprivileged reports whether systemd starts a service without all capabilities, as another user than root.
func isUnprivileged(u *unit.Unit) bool {
	user, _ := u.Last("Service", "User")
	return clone.IsDynamic(u) || !slices.Contains([]string{"", "root", "0"}, user.Value)
}
