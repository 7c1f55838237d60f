package profiles

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"temper/internal/unit"
)

// Profile is one profile with all that it inherits.
type Profile struct {
	Name        string    // path below the profile directory without ".toml": "nginx", "base/daemon"
	Path        string    // the file's name inside the root
	Description string    // one line; not inherited
	Units       []string  // names, templates and globs of service units; not inherited; empty: only to be extended
	Extends     []string  // names of profiles, as written
	Secrets     []string  // absolute paths, those of the bases first
	SecretsFor  []string  // names and globs of units besides Units that may see Secrets
	Apply       []string  // some of [Applicable], besides those of the settings: results that apply; not inherited
	Draft       bool      // it is proven and shown, and never applied; a profile that extends a draft is one too
	Service     []Setting // in order of first appearance, bases first; one for each directive
	Prove       Prove
	Checks      []Check  // those of the bases first
	Digest      string   // of the bytes of all Sources: equal profiles have equal digests
	Sources     []string // the files of everything that it extends, then its own, in the order in which they apply
}

// Setting is one directive of a profile's [service] table.
type Setting struct {
	Name    string        // as systemd spells it
	Values  []string      // one for each assignment, "" for an empty one; never empty; booleans are "yes" and "no"
	Pos     unit.Position // where it is set
	Profile string        // name of the profile that set it: the profile itself or a base
	Own     []string      // of a list that adds to that of a base: what Profile itself lists; else nil
}

// ListedBy returns what a profile itself lists, without what its bases list.
func (s Setting) ListedBy(profile string) []string {
	switch {
	case s.Profile != profile:
		return nil
	case s.Own != nil:
		return s.Own
	}
	return s.Values
}

// Prove says how to prove a service.
type Prove struct {
	Settle       time.Duration // how long the service must keep running after its start
	Timeout      time.Duration // the limit for a start, a reload and a stop each
	Reload       bool          // reload it while it runs, then check again
	Restart      bool          // stop and start it again, then check again
	Setup        []string      // shell command lines for /bin/sh -c, run by root in the place before the first trial
	LikeBaseline bool          // compare each hardened trial with the baseline
	Expect       []string      // the differences from it that are meant: patterns of paths, and parts of log lines
	State        string        // [StateKeep] or [StateRestore]: what becomes of the service's data directories
	Exposure     float64       // the most that the hardened service may have; 0 sets no limit

	ContainerSetup []string // like Setup and after it, but only in a container, which is thrown away
}

// Applicable are the results of proving a unit that may be applied; see temper/internal/verdict.
var Applicable = []string{"proven", Started}

// Started is the lesser of them: the service was not used.
const Started = "started"

// What happens to a service's data directories after its trials on the host.
const (
	StateKeep    = "keep"
	StateRestore = "restore"
)

// Defaults of [prove] and [[check]].
const (
	DefaultSettle       = time.Second
	DefaultTimeout      = 30 * time.Second
	DefaultCheckTimeout = 5 * time.Second
	DefaultCheckRetry   = 2 * time.Second
	MaxDuration         = time.Hour // no duration in a profile may be longer
)

// DefaultProve returns the values that apply if neither a profile nor its bases set others.
func DefaultProve() Prove {
	return Prove{Settle: DefaultSettle, Timeout: DefaultTimeout, LikeBaseline: true, State: StateKeep}
}

// Line writes the setting as a line of a profile.
func (s Setting) Line() string {
	var values []string
	for _, v := range s.Values {
		if v != "" {
			values = append(values, strconv.Quote(v))
		}
	}
	return fmt.Sprintf("%s = [%s]", s.Name, strings.Join(values, ", "))
}

// Setting returns the setting of a directive, and whether the profile has one.
func (p *Profile) Setting(name string) (Setting, bool) {
	for _, s := range p.Service {
		if s.Name == name {
			return s, true
		}
	}
	return Setting{}, false
}

// parseHead reads what stands above the first table of a file: the units, and what it extends. It is not ok where that
// takes the whole file: where it has no units or secrets of its own, or where something in it is wrong.
func parseHead(name, path string, data []byte) (o *own, ok bool) {
	var head struct {
		Units, Extends, Secrets []string
		SecretsFor              []string `toml:"secrets_for"`
		Draft                   bool
	}
	text, rest, _ := bytes.Cut(data, []byte("\n["))
	if _, err := toml.Decode(strings.TrimPrefix(string(text), "\ufeff"), &head); err != nil {
		return nil, false
	}
	if len(head.Units) == 0 || len(head.Secrets) > 0 || len(head.SecretsFor) > 0 || len(rest) == 0 {
		return nil, false
	}
	o = &own{unread: data, Profile: Profile{
		Name: name, Path: path, Units: head.Units, Extends: head.Extends, Draft: head.Draft,
	}}
	return o, true
}

// isHead reports whether only the head of the file was read.
func (o *own) isHead() bool { return o.unread != nil }

// whole reads the rest of a file of which the head was read.
func (s *Set) whole(o *own) *own {
	if !o.isHead() {
		return o
	}
	w := parse(o.Name, o.Path, o.unread)
	w.behind = o.behind
	if s.files[o.Name] == o {
		s.files[o.Name] = w
	}
	return w
}

// inheritsSecrets reports whether something that a file extends has secrets.
func (s *Set) inheritsSecrets(o *own) bool {
	seen := map[*own]bool{}
	var visit func(*own) bool
	visit = func(o *own) bool {
		if o == nil || seen[o] {
			return false
		}
		seen[o] = true
		for _, name := range o.Extends {
			base := s.files[name]
			if base == o {
				base = o.behind
			}
			if base != nil && (len(base.Secrets) > 0 || visit(base)) {
				return true
			}
		}
		return false
	}
	return visit(o)
}

// Set has the profiles of a root. The nil and the zero Set have none.
type Set struct {
	files    map[string]*own // by name, those that did not load and masks included
	profiles map[string]*Profile
	unread   []string              // Units of files of which only the head was read
	byUnit   map[string][]*Profile // by each element of Units that is not a glob
	globs    []glob
	fallback *Profile // for services that no other profile is about
}

// Get returns the profile of a name.
func (s *Set) Get(name string) (*Profile, bool) {
	if s == nil {
		return nil, false
	}
	p, ok := s.profiles[name]
	return p, ok
}

// Bases returns a set of the bases of s alone.
func (s *Set) Bases() *Set {
	bases := &Set{files: map[string]*own{}, profiles: map[string]*Profile{}}
	for name, p := range s.profiles {
		if strings.HasPrefix(name, "base/") {
			bases.files[name], bases.profiles[name] = s.files[name], p
		}
	}
	bases.index()
	return bases
}

// Unusable lists the profiles that have a file which cannot be used, or that extend such a profile.
func (s *Set) Unusable() []string {
	var names []string
	for name, o := range s.files {
		if s.profiles[name] == nil && !o.masked && !o.isHead() {
			names = append(names, name)
		}
	}
	return names
}

// All returns every profile, bases included, by name.
func (s *Set) All() []*Profile {
	if s == nil {
		return nil
	}
	all := make([]*Profile, 0, len(s.profiles))
	for _, name := range slices.Sorted(maps.Keys(s.profiles)) {
		all = append(all, s.profiles[name])
	}
	return all
}
