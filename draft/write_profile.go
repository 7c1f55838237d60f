package draft

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/profiles"
)

// profile is the sketch as it would be loaded.
func (s *sketch) profile() (*profiles.Profile, error) {
	return profiles.ParseText(s.name, s.text(), s.set)
}

// text is the shortest profile that says what the sketch says.
func (s *sketch) text() string {
	bases := s.shortest()
	var b strings.Builder
	fmt.Fprintf(&b, "# Drafted by temper. Read it, and look at each exception: a service that somebody has taken over\n"+
		"# can make itself need anything. Then take draft = true out, and: sudo temper prove %s\n", s.unit.ID)
	for _, text := range s.about {
		fmt.Fprintf(&b, "#\n# %s\n", text)
	}
	fmt.Fprintf(&b, "description = %s\n", quote(s.description()))
	fmt.Fprintf(&b, "units       = [%s]\n", quote(s.unit.ID))
	if len(bases.names) > 0 {
		fmt.Fprintf(&b, "extends     = [%s]\n", quoteAll(bases.names))
	}
	b.WriteString("draft       = true\n\n[service]\n")
	for _, x := range bases.missing {
		for _, line := range shown(x.reasons) {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		b.WriteString(s.line(x) + "\n")
	}
	if s.reload || s.settle > 0 {
		b.WriteString("\n[prove]\n")
	}
	if s.settle > 0 {
		fmt.Fprintf(&b, "settle = %s\n", quote(s.settle.String()))
	}
	if s.reload {
		b.WriteString("reload = true\n")
	}
	for _, c := range s.checks {
		fmt.Fprintf(&b, "\n[[check]]\nname = %s\n%slive = true\n", quote(c.name), c.lines)
	}
	if len(s.unseen) > 0 {
		b.WriteString("\n# Not seen:\n")
	}
	for _, text := range s.unseen {
		fmt.Fprintf(&b, "# - %s\n", oneLine(text))
	}
	return b.String()
}

// mostReasons is how many reasons of one exception, and names in one reason, are written out.
const mostReasons = 8

// shown shortens a list of reasons.
func shown(reasons []string) []string {
	if len(reasons) <= mostReasons {
		return reasons
	}
	rest := fmt.Sprintf("and %d more", len(reasons)-mostReasons+1)
	return append(slices.Clone(reasons[:mostReasons-1]), rest)
}

// description is that of the unit.
func (s *sketch) description() string {
	a, _ := s.unit.Last("Unit", "Description")
	if text, err := s.unit.Expand(a.Value); err == nil && text != "" {
		return oneLine(text)
	}
	return s.unit.ID
}

// baseChoice is a list of bases, and the settings that a profile which extends them must make itself.
type baseChoice struct {
	names   []string
	missing []*setting
}

// shortest finds the bases with which the fewest settings remain. Without any, all remain.
func (s *sketch) shortest() baseChoice {
	var best baseChoice
	for _, x := range s.settings {
		if x.values != nil {
			best.missing = append(best.missing, x)
		}
	}
	cost := func(c baseChoice) int { return 4*len(c.missing) + len(c.names) }
	for _, p := range s.bases {
		missing, ok := s.missing(p)
		if c := (baseChoice{p.Extends, missing}); ok && cost(c) < cost(best) {
			best = c
		}
	}
	return best
}

// baseProfiles returns a profile without settings for each base and for each two of them, each with those that are to
// be there always.
func baseProfiles(set *profiles.Set, always ...string) []*profiles.Profile {
	var list []*profiles.Profile
	add := func(names ...string) {
		names = append(names, always...)
		// A base that is wrong is no choice.
		if p, err := profiles.ParseText("draft", "extends = ["+quoteAll(names)+"]", set); err == nil {
			list = append(list, p)
		}
	}
	bases := set.Bases().All()
	for _, a := range bases {
		add(a.Name)
		for _, b := range bases {
			if a != b {
				add(a.Name, b.Name)
			}
		}
	}
	return list
}

// missing lists the settings that a profile lacks or makes otherwise. It is not ok where the profile makes one that
// cannot be taken back.
func (s *sketch) missing(p *profiles.Profile) (list []*setting, ok bool) {
	for _, x := range s.settings {
		had, has := p.Setting(x.directive.Name)
		if has && x.directive.Gathers { // the profile adds to what its bases list
			if x = s.beyond(x, had.Values); x == nil {
				continue
			}
			has = false
		}
		switch {
		case x.values == nil && !has, has && sameWords(had.Values, x.values):
		case x.values == nil && s.off(x.directive) == nil:
			return nil, false
		default:
			list = append(list, x)
		}
	}
	for _, had := range p.Service {
		known := func(x *setting) bool { return x.directive.Name == had.Name }
		if !slices.ContainsFunc(s.settings, known) {
			return nil, false
		}
	}
	slices.SortStableFunc(list, func(a, b *setting) int { return directive.Compare(a.directive, b.directive) })
	return list, true
}

// sameWords reports whether two values are the same: lists of names without exceptions in any order.
func sameWords(a, b []string) bool {
	if slices.Equal(a, b) {
		return true
	}
	words := func(values []string) []string {
		list := strings.Fields(strings.Join(values, " "))
		slices.Sort(list)
		return list
	}
	return b != nil && !strings.Contains(strings.Join(a, " "), "~") && slices.Equal(words(a), words(b)) &&
		len(words(a)) > 0
}

// off returns the assignment that asks for nothing; nil if there is none.
func (s *sketch) off(d *directive.Directive) []string {
	candidates := []string{"", "~", "no", "all"}
	if d.Ordered() {
		candidates = []string{d.Values[0].Name}
	}
	for _, text := range candidates {
		lines := []string{text}
		if d.Check(lines) == nil && d.Merge(directive.NewContext(s.version, nil), lines).Lines == nil {
			return lines
		}
	}
	return nil
}

// line is the line of a profile for a setting.
func (s *sketch) line(x *setting) string {
	d, values := x.directive, x.values
	if values == nil {
		values = s.off(d)
	}
	isList := d.HasExceptions() || d.ListsPaths() || d.Grants(values, s.version) != nil || len(values) != 1
	switch {
	case len(values) == 1 && values[0] == "":
		return d.Name + " = []"
	case isList:
		return fmt.Sprintf("%s = [%s]", d.Name, quoteAll(values))
	case d.Ordered() && values[0] == "yes":
		return d.Name + " = true"
	case d.Ordered() && values[0] == "no":
		return d.Name + " = false"
	}
	return d.Name + " = " + quote(values[0])
}

// quote writes a text as TOML has it: strings of JSON are strings of TOML.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil { // a string can always be encoded
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func quoteAll(texts []string) string {
	var quoted []string
	for _, t := range texts {
		quoted = append(quoted, quote(t))
	}
	return strings.Join(quoted, ", ")
}
