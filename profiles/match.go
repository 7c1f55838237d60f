package profiles

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/unit"
)

// How well a profile fits a unit, from the worst.
const (
	fitNone = iota
	fitGlob
	fitTemplate // names the template of the unit
	fitName     // names the unit or an alias of it
)

// fit is how well one element of a profile's Units fits.
type fit struct {
	rank   int
	length int // of the pattern: a longer glob is the more exact one
}

func (f fit) compare(g fit) int {
	if c := cmp.Compare(f.rank, g.rank); c != 0 || f.rank != fitGlob {
		return c
	}
	return cmp.Compare(f.length, g.length)
}

// For returns the profile that applies to a unit, or nil. A profile that names the unit, by its main name or an alias,
// comes before one that names its template, and that before a glob. A longer glob comes before a shorter one; then the
// profile whose name sorts first wins. Then comes the base of [Set.WithFallback]. The result named says that the
// profile names the unit, an alias or the template.
//
// Last come drafts, each as if it did not name the unit: what applies goes on applying while a draft is there.
func (s *Set) For(u *unit.Unit) (p *Profile, named bool) {
	if s == nil {
		return nil, false
	}
	names := namesOf(u)
	if p, named = s.about(u, names, false); p != nil {
		return p, named
	}
	if s.fallback != nil && unit.Type(u.ID) == "service" && s.Faulty(names) == "" {
		return s.fallback, false
	}
	p, _ = s.about(u, names, true)
	return p, false
}

// DraftFor returns the draft that is about a unit, or nil, also where something else applies meanwhile.
func (s *Set) DraftFor(u *unit.Unit) *Profile {
	if s == nil {
		return nil
	}
	p, _ := s.about(u, namesOf(u), true)
	return p
}

// about returns the profile that names or matches a unit of these names, among the drafts or among all others.
func (s *Set) about(u *unit.Unit, names []string, drafts bool) (p *Profile, named bool) {
	var best fit
	consider := func(q *Profile, f fit) {
		c := f.compare(best)
		if q.Draft == drafts && (c > 0 || c == 0 && p != nil && q.Name < p.Name) {
			p, best = q, f
		}
	}
	for _, name := range names {
		for _, q := range s.byUnit[name] {
			consider(q, fit{rank: fitName})
		}
	}
	if template := u.Template(); template != "" {
		for _, q := range s.byUnit[template] {
			consider(q, fit{rank: fitTemplate})
		}
	}
	if best.rank != fitNone {
		return p, true
	}
	for _, g := range s.globs {
		if slices.ContainsFunc(names, g.matches) {
			consider(g.profile, fit{fitGlob, len(g.pattern)})
		}
	}
	return p, false
}

// WithFallback returns the set with a base that applies to every service that no profile of the set is about, also none
// that has an error. Of the base it is enough for a service that it is started. A name that is no base changes nothing.
func (s *Set) WithFallback(base string) *Set {
	o, _ := s.find(nil, base)
	if o == nil {
		return s
	}
	p, findings := resolve(o, s.find)
	if len(findings) > 0 {
		return s
	}
	with := *s
	p.Apply = []string{Started}
	with.fallback = p
	return &with
}

// WithoutFallback returns the set without the base of [Set.WithFallback].
func (s *Set) WithoutFallback() *Set {
	without := *s
	without.fallback = nil
	return &without
}

// Matches reports whether a profile names or matches a unit of this name. It does not know aliases: call it for each of
// them.
func (s *Set) Matches(name string) bool {
	return s.fallback != nil && unit.Type(name) == "service" ||
		len(s.byUnit[name]) > 0 || len(s.byUnit[unit.Template(name)]) > 0 ||
		slices.ContainsFunc(s.globs, func(g glob) bool { return g.matches(name) })
}

// SetOf returns a set that has only one profile.
func SetOf(p *Profile) *Set {
	s := &Set{files: map[string]*own{}, profiles: map[string]*Profile{p.Name: p}}
	s.index()
	return s
}

// Patterns lists the names, and the globs as package path reads them, of all units that profiles match.
func (s *Set) Patterns() []string {
	patterns := slices.Collect(maps.Keys(s.byUnit))
	for _, g := range s.globs {
		patterns = append(patterns, g.pattern)
	}
	if s.fallback != nil {
		patterns = append(patterns, "*.service")
	}
	for _, u := range s.unread {
		if IsGlob(u) {
			u = newGlob(u, nil).pattern
		}
		patterns = append(patterns, u)
	}
	return patterns
}

// Naming returns the profiles that name a unit, rather than match it by a glob.
func (s *Set) Naming(unit string) []*Profile {
	if s == nil {
		return nil
	}
	return s.byUnit[unit]
}

// Faulty returns the file of a profile that names or matches a unit of one of these names and did not load; "" if there
// is none.
func (s *Set) Faulty(names []string) string {
	if s == nil {
		return ""
	}
	for _, name := range slices.Sorted(maps.Keys(s.files)) {
		o := s.files[name]
		if _, loaded := s.profiles[name]; !loaded && !o.masked && !o.isHead() && fits(o.Units, names) {
			return o.Path
		}
	}
	return ""
}

// namesOf returns every name of a unit.
func namesOf(u *unit.Unit) []string {
	names := append([]string{u.Name, u.ID}, u.Aliases...)
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(n string) bool { return n == "" })
}

// glob is one wildcard element of a profile's Units.
type glob struct {
	pattern string
	literal string // the part before the first wildcard, which most names do not have
	profile *Profile
}

// newGlob reads a glob as in glob(7): [!a] is what package path writes as [^a]. A backslash is part of the name, as in
// "a\x2db.service".
func newGlob(pattern string, p *Profile) glob {
	return glob{
		pattern: strings.NewReplacer("[!", "[^", `\`, `\\`).Replace(pattern),
		literal: pattern[:strings.IndexAny(pattern, `*?[\`)],
		profile: p,
	}
}

func (g glob) matches(name string) bool {
	if !strings.HasPrefix(name, g.literal) {
		return false
	}
	ok, _ := path.Match(g.pattern, name) // the pattern was compiled when it was read
	return ok
}

// index makes the tables that For and SecretsFor use.
func (s *Set) index() {
	s.byUnit = map[string][]*Profile{}
	s.globs = nil
	for _, p := range s.All() {
		for _, u := range p.Units {
			if !IsGlob(u) {
				s.byUnit[u] = append(s.byUnit[u], p)
				continue
			}
			s.globs = append(s.globs, newGlob(u, p))
		}
	}
}

// fits reports whether any name matches any of the names and globs.
func fits(patterns, names []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if !IsGlob(p) {
			return slices.Contains(names, p)
		}
		return slices.ContainsFunc(names, newGlob(p, nil).matches)
	})
}

// mayFit reports whether a profile with these Units can apply to one of the units of a machine, whose names are sorted,
// or to an instance or another name of one of them.
func mayFit(patterns, units []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		switch {
		case !IsGlob(p):
			_, there := slices.BinarySearch(units, p)
			_, template := slices.BinarySearch(units, unit.Template(p))
			return there || template
		case strings.Contains(p, "@"):
			return true
		}
		return slices.ContainsFunc(units, newGlob(p, nil).matches)
	})
}

// Secret is a path that only the units of one profile, and those in its secrets_for, need to see.
type Secret struct {
	Path    string
	Profile string // the name of the profile to which it belongs
}

// SecretsFor returns the secrets that a unit does not need to see, sorted by path: those of every profile that neither
// matches one of these names nor has one in secrets_for. A draft hides nothing from others. names are the unit's name
// and its aliases, and for an instance also the template. A path is left out if the unit has a secret of its own at
// that path or below, which would be hidden too.
func (s *Set) SecretsFor(names ...string) []Secret {
	var others []Secret
	var mine []string
	for _, p := range s.All() {
		switch {
		case len(p.Secrets) == 0 || len(p.Units) == 0: // no secrets, or a base, whose heirs have them
		case fits(p.Units, names) || fits(p.SecretsFor, names):
			mine = append(mine, p.Secrets...)
		case p.Draft:
		default:
			for _, secret := range p.Secrets {
				others = append(others, Secret{secret, p.Name})
			}
		}
	}
	others = slices.DeleteFunc(others, func(o Secret) bool {
		return slices.ContainsFunc(mine, func(m string) bool { return host.Below(o.Path, m) })
	})
	slices.SortFunc(others, func(a, b Secret) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Profile, b.Profile))
	})
	return slices.CompactFunc(others, func(a, b Secret) bool { return a.Path == b.Path })
}

// IsGlob reports whether an element of Units is a glob rather than a name.
func IsGlob(s string) bool { return strings.ContainsAny(s, "*?[") }
