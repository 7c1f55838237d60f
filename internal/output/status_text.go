package output

import (
	"fmt"
	"strings"

	"temper/internal/inforce"
)

// groups are how services of one state are counted and headed, with what to type about them.
var groups = map[inforce.State]struct{ count, one, heading string }{
	inforce.Hardened:      {"hardened", "hardened", "Hardened:"},
	inforce.RestartNeeded: {"need a restart", "needs a restart", "Need a restart (sudo temper apply):"},
	inforce.Broken:        {"broken", "broken", "Broken, nothing is applied (temper show UNIT):"},
	inforce.NotHardened:   {"not hardened", "not hardened", "Not hardened (sudo temper prove UNIT):"},
	inforce.AtNextStart: {
		"hardened when they start", "hardened when it starts", "Do not run, hardened when they start:",
	},
	inforce.NoProfile: {"without a profile", "without a profile", "Without a profile:"},
}

// order is the order of the groups.
var order = []inforce.State{
	inforce.Hardened, inforce.RestartNeeded, inforce.Broken, inforce.NotHardened, inforce.AtNextStart,
	inforce.NoProfile,
}

// Status prints how services stand: a line that counts them, then a group for each state. Services without a profile
// are only counted unless all is set.
func (p Printer) Status(services []inforce.Service, all bool) error {
	if p.Format == "json" {
		if !all {
			services = withProfile(services)
		}
		return p.JSON(services)
	}
	by := map[inforce.State][]inforce.Service{}
	for _, s := range services {
		by[s.State] = append(by[s.State], s)
	}
	var counts []string
	for _, state := range order {
		switch n := len(by[state]); n {
		case 0:
		case 1:
			counts = append(counts, p.in(colorOf(state, by[state]), "1 "+groups[state].one))
		default:
			counts = append(counts, p.in(colorOf(state, by[state]), fmt.Sprintf("%d %s", n, groups[state].count)))
		}
	}
	if len(counts) == 0 {
		counts = []string{"no service that a profile matches, and none without one"}
	}
	fmt.Fprintln(p.Out, strings.Join(counts, ", "))
	for _, state := range order {
		if state == inforce.NoProfile && !all {
			continue
		}
		var rows [][]string
		for _, s := range by[state] {
			rows = append(rows, []string{s.Unit, score(s.Now), statusText(s)})
		}
		if err := p.section("\n"+groups[state].heading, rows); err != nil {
			return err
		}
	}
	if n := len(by[inforce.NoProfile]); n > 0 && !all {
		fmt.Fprintln(p.Out, "\nWithout a profile: temper status --all lists them.")
	}
	return nil
}

func withProfile(services []inforce.Service) []inforce.Service {
	list := []inforce.Service{}
	for _, s := range services {
		if s.State != inforce.NoProfile {
			list = append(list, s)
		}
	}
	return list
}

// statusText says why a service stands as it does.
func statusText(s inforce.Service) string {
	switch {
	case s.State == inforce.Broken:
		return s.Why
	case s.Stale:
		return s.Result + ", stale: " + s.Why
	case s.State == inforce.NoProfile:
		return ""
	case s.State == inforce.Hardened && len(s.Demotions) > 0:
		return fmt.Sprintf("%s, %s", s.Why, plural(len(s.Demotions), "demotion"))
	}
	return s.Why
}

// plural counts something.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
