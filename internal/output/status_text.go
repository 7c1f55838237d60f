package output

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"temper/internal/inforce"
	"temper/internal/refusallog"
)

// groups are how services of one state are counted and headed, with what to type about them.
var groups = map[inforce.State]struct{ count, one, heading string }{
	inforce.Hardened:      {"hardened", "hardened", "Hardened:"},
	inforce.RestartNeeded: {"need a restart", "needs a restart", "Need a restart (sudo temper apply):"},
	inforce.Broken:        {"broken", "broken", "Broken, nothing is applied (temper show UNIT):"},
	inforce.Draft:         {"drafts", "draft", "Drafts, not applied (temper show UNIT):"},
	inforce.NotHardened:   {"not hardened", "not hardened", "Not hardened (sudo temper prove UNIT):"},
	inforce.AtNextStart: {
		"hardened when they start", "hardened when it starts", "Do not run, hardened when they start:",
	},
	inforce.NoProfile: {"without a profile", "without a profile", "Without a profile:"},
}

// order is the order of the groups.
var order = []inforce.State{
	inforce.Hardened, inforce.RestartNeeded, inforce.Broken, inforce.Draft, inforce.NotHardened,
	inforce.AtNextStart,
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
	var counts []string // with their colours
	for _, state := range order {
		switch n := len(by[state]); n {
		case 0:
		case 1:
			counts = append(counts, string(p.in(colorOf(state, by[state]), "1 "+groups[state].one)))
		default:
			text := fmt.Sprintf("%d %s", n, groups[state].count)
			counts = append(counts, string(p.in(colorOf(state, by[state]), text)))
		}
	}
	if len(counts) == 0 {
		counts = []string{"no service that a profile matches, and none without one"}
	}
	fmt.Fprintln(p.Out, strings.Join(counts, ", "))
	watched := slices.ContainsFunc(services, func(s inforce.Service) bool { return s.Refused != nil })
	for _, state := range order {
		if state == inforce.NoProfile && !all {
			continue
		}
		if err := p.group(state, by[state], watched); err != nil {
			return err
		}
	}
	if n := len(by[inforce.NoProfile]); n > 0 && !all {
		fmt.Fprintln(p.Out, "\nWithout a profile: temper status --all lists them.")
	}
	return nil
}

// group prints the services of one state, those that its command does not change under a heading of their own.
func (p Printer) group(state inforce.State, services []inforce.Service, watched bool) error {
	heading := "\n" + groups[state].heading
	if state != inforce.NotHardened {
		return p.section(heading, statusRows(services, watched))
	}
	var open, settled []inforce.Service
	for _, s := range services {
		if s.Command == "" {
			settled = append(settled, s)
		} else {
			open = append(open, s)
		}
	}
	if err := p.section(heading, statusRows(open, watched)); err != nil {
		return err
	}
	return p.section("\nNot hardened (temper show UNIT):", statusRows(settled, watched))
}

// statusRows has a row for each service, with what it was refused where somebody watches.
func statusRows(services []inforce.Service, watched bool) (rows [][]string) {
	for _, s := range services {
		row := []string{s.Unit, score(s.Now)}
		if watched {
			row = append(row, refusedText(s.Refused))
		}
		rows = append(rows, append(row, observedText(s)))
	}
	return rows
}

// Watching prints whether somebody watches what services are refused.
func (p Printer) Watching(on bool) {
	text := "temper watch is off: what services are refused is not recorded (sudo temper watch --enable)."
	if on {
		text = "temper watch is on: temper show UNIT lists what a service was refused."
	}
	fmt.Fprintln(p.Out)
	p.line(0, "%s", text)
}

// refusedText is the column of status for what a service was refused.
func refusedText(s *refusallog.Summary) string {
	switch {
	case s == nil:
		return "not watched"
	case s.Open == 0:
		return "no refusal"
	}
	return plural(s.Open, "refusal")
}

// A Case is a refusal with the exception that would allow it.
type Case struct {
	Unit          string
	Refusal       refusallog.Refusal
	Lines         []string // of a profile, that would allow it; none if no exception is offered
	Exact         bool
	Gives         string
	Before, After float64 // exposure
	NotSo         string  // why no exception is offered
}

// Case prints a refusal with the exception that would allow it.
func (p Printer) Case(c Case) {
	r := c.Refusal
	p.print("\n%s: %q was refused to %s\n", c.Unit, r.Program, r.Restriction.Act(r.Subject))
	p.print("  %s since %s, last %s, by %s\n", plural(int(r.Count), "time"), r.First.Format(time.DateTime),
		r.Last.Format(time.DateTime), strings.Join(r.Directives, "=, ")+"=")
	p.print("  call      %s\n", strconv.Quote(r.Call))
	if len(c.Lines) == 0 {
		p.print("  exception none: %s\n", c.NotSo)
		return
	}
	for _, line := range c.Lines {
		p.print("  exception %s\n", line)
	}
	if !c.Exact {
		fmt.Fprintln(p.Out, "            which allows more: the directive has no exact exception")
	}
	p.print("  gives up  exposure %s -> %s; whoever controls the service\n", score(c.Before), score(c.After))
	p.print("            %s\n", c.Gives)
	fmt.Fprintln(p.Out, "            Who has taken it over can be refused this on purpose: accept what you know.")
}

// Refusals prints what a service was refused in production.
func (p Printer) Refusals(l refusallog.Log) error {
	var rows [][]string
	for _, r := range l.Refusals {
		text := fmt.Sprintf("%q to %s", r.Program, r.Restriction.Act(r.Subject))
		if r.Answer != "" {
			text += ", " + r.Answer
		}
		by := strings.Join(r.Directives, "=, ") + "="
		rows = append(rows, []string{fmt.Sprintf("%dx", r.Count), r.Last.Format(time.DateTime), by, text})
	}
	heading := fmt.Sprintf("\nRefused since %s (sudo temper review %s):", l.Since.Format(time.DateTime), l.Unit)
	if len(rows) == 0 {
		_, err := fmt.Fprintf(p.Out, "\nRefused since %s: nothing.\n", l.Since.Format(time.DateTime))
		return err
	}
	if err := p.section(heading, rows); err != nil {
		return err
	}
	if n := l.More + l.Missed; n > 0 {
		fmt.Fprintf(p.Out, "  and %d more, which were too many to be recorded\n", n)
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
	case s.State == inforce.Broken, s.State == inforce.Draft, s.State == inforce.NotHardened:
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

// observedText is statusText, and since when the needs of the service have been observed.
func observedText(s inforce.Service) string {
	switch text := statusText(s); {
	case s.Observed == "":
		return text
	case text == "":
		return "observed since " + s.Observed
	default:
		return text + "; observed since " + s.Observed
	}
}

// plural counts something.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
