// Package lint finds what is allowed in a profile but unwise. Call [Profile].
package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/refusal"
	"temper/profiles"
)

// The IDs of the findings of [Profile]: advice about profiles that load.
const (
	IDNoDescription   = "no-description"    // nobody knows what the profile is for
	IDNoUnits         = "no-units"          // it is about no unit, and no other profile extends it
	IDNothingApplied  = "nothing-applied"   // it names units and sets no directive
	IDNoCheck         = "no-check"          // it names a service that nothing uses
	IDNoRequiredCheck = "no-required-check" // every check is advisory
	IDNoUse           = "no-use"            // no required check uses the service
	IDWeakCheck       = "weak-check"        // a check that passes even if the service does not work
	IDSlowCheck       = "slow-check"        // a check that may take longer than the trial
	IDContainerSetup  = "container-setup"   // a setup that finds out by itself whether its place is thrown away
	IDLiveNever       = "live-never"        // a check that temper apply may run, of a phase in which it runs none
	IDNoEffect        = "no-effect"         // a directive that does nothing without another one
	IDPathUndoes      = "path-undoes"       // an exception that gives back most of what the sandbox takes
	IDPathOpens       = "path-opens"        // a path that becomes writable by a directive that should forbid something
	IDPathMustExist   = "path-must-exist"   // a path without "-": the service does not start where it is missing
	// a list of what is forbidden, in a profile that should list what it allows
	IDDenyList         = "deny-list"
	IDTwice            = "twice"              // the same assignment twice
	IDSameUnit         = "same-unit"          // another profile names the unit too
	IDSecretsForNobody = "secrets-for-nobody" // secrets_for without secrets
)

// Profile returns what is unwise about a profile, sorted by line; the profile can still be used. It does not judge what
// the profile inherits, which is judged in the base. set has the profiles that are loaded together with it; it may be
// nil.
func Profile(p *profiles.Profile, set *profiles.Set) []profiles.Finding {
	l := &linter{profile: p, set: set}
	for _, rule := range []func(*linter){
		(*linter).whole, (*linter).setup, (*linter).enoughChecks, (*linter).checks, (*linter).settings, (*linter).units,
	} {
		rule(l)
	}
	profiles.SortFindings(l.findings)
	return l.findings
}

type linter struct {
	profile  *profiles.Profile
	set      *profiles.Set
	findings []profiles.Finding
}

func (l *linter) add(f profiles.Finding) {
	f.Path = l.profile.Path
	l.findings = append(l.findings, f)
}

// whole judges the profile as a whole.
func (l *linter) whole() {
	p := l.profile
	if p.Description == "" {
		l.add(
			profiles.Finding{
				ID:      IDNoDescription,
				Message: "has no description",
				Fix:     `write description = "what it is"`,
			},
		)
	}
	if len(p.Units) == 0 && !strings.HasPrefix(p.Name, "base/") && !l.isExtended() {
		l.add(profiles.Finding{
			ID: IDNoUnits, Message: "names no unit, and no profile extends it",
			Fix: `write units = ["NAME.service"], or move it to base/`,
		})
	}
	if len(p.Units) > 0 && len(p.Service) == 0 {
		l.add(
			profiles.Finding{
				ID:      IDNothingApplied,
				Message: "sets no directive",
				Fix:     `extend one such as "base/daemon"`,
			},
		)
	}
	if len(p.SecretsFor) > 0 && len(p.Secrets) == 0 {
		l.add(profiles.Finding{ID: IDSecretsForNobody, Message: "has secrets_for and no secrets", Fix: "leave it out"})
	}
}

// setup finds commands that ask by a file of the place what a key says.
func (l *linter) setup() {
	isOwn := func(command string) bool { return strings.Contains(command, "temper-place.target") }
	if slices.ContainsFunc(l.profile.Prove.Setup, isOwn) && slices.Contains(l.profile.Sources, l.profile.Path) {
		l.add(profiles.Finding{
			ID: IDContainerSetup, Message: "has a setup that asks whether its place is a container",
			Fix: "write the command under container_setup, without that question",
		})
	}
}

// enoughChecks judges whether the checks as a whole show that the service works.
func (l *linter) enoughChecks() {
	p := l.profile
	named := slices.ContainsFunc(p.Units, func(u string) bool { return !profiles.IsGlob(u) })
	required := slices.ContainsFunc(p.Checks, func(c profiles.Check) bool { return c.Required })
	uses := slices.ContainsFunc(p.Checks, func(c profiles.Check) bool { return c.Required && c.Uses() })
	switch {
	case len(p.Units) > 0 && required && !uses:
		l.add(profiles.Finding{
			ID: IDNoUse, Message: "has no required check that uses the service: it is started at most, and not hardened",
			Fix: "write a [[check]] that has it do its work",
		})
	case len(p.Units) == 0 || required:
	case named && len(p.Checks) == 0:
		l.add(profiles.Finding{
			ID: IDNoCheck, Message: "has no check: that a service is active proves nothing",
			Fix: "write a [[check]] that uses it as a client does",
		})
	case len(p.Checks) > 0:
		l.add(
			profiles.Finding{ID: IDNoRequiredCheck, Message: "has no required check: no failure would demote anything"},
		)
	case !p.Prove.LikeBaseline:
		l.add(
			profiles.Finding{
				ID:      IDNoCheck,
				Message: "has no check and does not compare with the baseline",
				Fix:     "leave out like_baseline",
			},
		)
	}
}

func (l *linter) checks() {
	for _, c := range l.profile.Checks {
		if c.Pos.Path != l.profile.Path {
			continue
		}
		if what, fix := weakness(c); what != "" {
			l.add(
				profiles.Finding{
					ID:      IDWeakCheck,
					Line:    c.Pos.Line,
					Message: fmt.Sprintf("check %q %s", c.Name, what),
					Fix:     fix,
				},
			)
		}
		if c.Live && !c.In(profiles.PhaseRunning) {
			l.add(profiles.Finding{
				ID: IDLiveNever, Line: c.Pos.Line,
				Message: fmt.Sprintf("check %q is live and never runs so: temper apply runs those of the phase running", c.Name),
				Fix:     "leave out live or phase",
			})
		}
		if c.Timeout > l.profile.Prove.Timeout || c.Retry > l.profile.Prove.Timeout {
			l.add(profiles.Finding{
				ID: IDSlowCheck, Line: c.Pos.Line,
				Message: fmt.Sprintf(
					"check %q may take longer than the trial",
					c.Name,
				), Fix: "raise timeout under [prove]",
			})
		}
	}
}

// isExtended reports whether another profile extends this one.
func (l *linter) isExtended() bool {
	return l.set != nil && slices.ContainsFunc(l.set.All(), func(p *profiles.Profile) bool {
		return slices.Contains(p.Extends, l.profile.Name)
	})
}

func (l *linter) settings() {
	for _, s := range l.profile.Service {
		if s.Profile != l.profile.Name {
			continue
		}
		d, ok := directive.Lookup(s.Name)
		if !ok { // it did not load then
			continue
		}
		l.repeated(s)
		l.paths(s, d)
		l.opens(s, d)
		if !d.Restricts() && !l.needs(d) {
			l.setting(s, IDNoEffect, "does nothing without "+d.With+"=", "set that, or leave this out")
		}
		if l.strict() && denies(s) {
			l.setting(
				s,
				IDDenyList,
				"only lists what it forbids, in a profile that is to be strict",
				"list what it allows",
			)
		}
	}
}

// needs reports whether the profile sets a directive from which d makes exceptions.
func (l *linter) needs(d *directive.Directive) bool {
	return slices.ContainsFunc(l.profile.Service, func(s profiles.Setting) bool {
		other, ok := directive.Lookup(s.Name)
		return ok && d.ExceptsFrom(other) &&
			slices.ContainsFunc(s.Values, func(v string) bool { return v != "" && v != "no" })
	})
}

func (l *linter) setting(s profiles.Setting, id, message, fix string) {
	l.add(
		profiles.Finding{
			ID:        id,
			Line:      s.Pos.Line,
			Directive: s.Name,
			Message:   "[service] " + s.Name + "= " + message,
			Fix:       fix,
		},
	)
}

func (l *linter) repeated(s profiles.Setting) {
	for i, v := range s.Values {
		if v != "" && slices.Contains(s.Values[:i], v) {
			l.setting(s, IDTwice, fmt.Sprintf("has %q twice", v), "leave one out")
		}
	}
}

// strict reports whether the profile is base/strict or extends it.
func (l *linter) strict() bool {
	return slices.ContainsFunc(
		l.profile.Sources,
		func(s string) bool { return strings.HasSuffix(s, "base/strict.toml") },
	)
}

// denies reports whether a setting is a deny-list.
func denies(s profiles.Setting) bool { return strings.HasPrefix(s.Values[0], "~") }

// everywhere are directories that exist on every system when services start: a path list may name them without "-".
var everywhere = []string{
	"/", "/boot", "/dev", "/dev/shm", "/etc", "/home", "/opt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr",
	"/usr/bin", "/usr/lib",
	"/usr/local", "/usr/sbin", "/usr/share", "/var", "/var/cache", "/var/lib", "/var/log", "/var/spool", "/var/tmp",
}

// paths judges the elements of a path list.
func (l *linter) paths(s profiles.Setting, d *directive.Directive) {
	if !d.ListsPaths() {
		return
	}
	for _, v := range s.Values {
		for word := range strings.FieldsSeq(v) {
			name, may := strings.CutPrefix(word, "-")
			name = path.Clean(strings.TrimPrefix(name, "+"))
			if slices.Contains(d.Undoes, name) {
				l.setting(s, IDPathUndoes, "gives back all of "+name, "name the directories that the service needs")
			}
			if !may && path.IsAbs(name) && !slices.Contains(everywhere, name) {
				l.setting(
					s,
					IDPathMustExist,
					"stops the service where "+name+" is missing",
					fmt.Sprintf("write \"-%s\"", name),
				)
			}
		}
	}
}

// writableAnyway are directories that profiles usually do not close, or that a service can have for itself.
var writableAnyway = []string{"/dev", "/proc", "/sys", "/tmp", "/var/tmp"}

// opens finds paths at which systemd makes a writable mount although the directory above is read-only.
func (l *linter) opens(s profiles.Setting, d *directive.Directive) {
	if !d.Remounts() {
		return
	}
	closed, open := l.readOnly()
	for _, name := range barePaths(s.Values) {
		above := slices.ContainsFunc(closed, func(dir string) bool { return dir != name && host.Below(dir, name) })
		writable := slices.ContainsFunc(open, func(dir string) bool { return host.Below(dir, name) })
		if above && !writable && !slices.Contains(closed, name) {
			l.setting(
				s,
				IDPathOpens,
				"makes "+name+" writable, which only what lies above it keeps closed",
				fmt.Sprintf("add \"-%s\" to ReadOnlyPaths, or leave it out", name),
			)
		}
	}
}

// readOnly returns the paths that the profile makes read-only, and the exceptions that stay writable.
func (l *linter) readOnly() (closed, open []string) {
	open = slices.Clone(writableAnyway)
	for _, s := range l.profile.Service {
		d, ok := directive.Lookup(s.Name)
		if ok && d.Lifts == refusal.PathReadOnly {
			open = append(open, barePaths(s.Values)...)
		}
		if !ok {
			continue
		}
		for _, e := range d.NamedPaths(s.Values) {
			if e.Mode == directive.ReadOnly {
				closed = append(closed, path.Clean(strings.TrimLeft(e.Path, "-+")))
			}
		}
	}
	return closed, open
}

func barePaths(values []string) []string {
	var paths []string
	for _, v := range values {
		for word := range strings.FieldsSeq(v) {
			paths = append(paths, path.Clean(strings.TrimLeft(word, "-+")))
		}
	}
	return paths
}

// units finds other profiles that name the same unit, since only one of them applies.
func (l *linter) units() {
	if l.set == nil {
		return
	}
	for _, u := range l.profile.Units {
		for _, q := range l.set.Naming(u) {
			if q.Name != l.profile.Name {
				l.add(profiles.Finding{
					ID: IDSameUnit, Message: fmt.Sprintf("profile %q names %s as well", q.Name, u), Fix: "only " +
						min(q.Name, l.profile.Name) + " applies",
				})
			}
		}
	}
}
