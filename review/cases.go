// Package review turns what hardened services were refused in production into exceptions that a person can accept: what
// each refusal is, the exact setting of a profile that would allow it, and what that gives up.
//
// Call [Input.Case] for each refusal, and [File] for the profile with those that were accepted. Nothing is allowed
// because a service was refused it: who has taken a service over can be refused things on purpose, so that somebody
// allows them.
package review

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"temper/generator"
	"temper/harness/blame"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/host"
	"temper/internal/offline"
	"temper/internal/refusal"
	"temper/internal/refusallog"
	"temper/internal/unit"
	"temper/profiles"
)

// A Case is a refusal, with the exception that would allow it.
type Case struct {
	Unit     string             `json:"unit"`
	Refusal  refusallog.Refusal `json:"refusal"`
	Settings []profiles.Setting `json:"-"`
	Lines    []string           `json:"lines"`             // of Settings; none if no exception is offered
	Exact    bool               `json:"exact"`             // the lines allow nothing else
	Gives    string             `json:"gives"`             // what whoever controls the service could do
	Before   float64            `json:"exposure"`          // as it is
	After    float64            `json:"exposure_after"`    // with the exception
	NotSo    string             `json:"refused,omitempty"` // why no exception is offered
}

// Input is what the cases of a unit depend on.
type Input struct {
	Generator *generator.Generator
	Unit      *unit.Unit
	Profile   *profiles.Profile
	Named     bool
}

// Case is what an exception for a refusal would be.
func (in Input) Case(r refusallog.Refusal) (Case, error) {
	plan := in.plan()
	own := in.Unit.Without(generator.Dropin)
	service := blame.NewService(in.Generator.Input(own, in.Profile, in.Named), files{in.Generator.Root})
	c := Case{Unit: in.Unit.ID, Refusal: r, Lines: []string{}, Gives: r.Restriction.Gives(r.Subject)}
	c.propose(service, appliedOf(plan), in.Profile, in.Generator.Root)
	var err error
	if c.Before, err = in.exposure(); err == nil {
		c.After, err = in.Allowing(c).exposure()
	}
	return c, err
}

// Allowing is the same unit under a profile that has the exception of a case.
func (in Input) Allowing(c Case) Input {
	changed := *in.Profile
	changed.Service = slices.Clone(changed.Service)
	for _, s := range c.Settings {
		s.Profile = changed.Name // the next exception adds to what this one lists
		changed.Set(s)
	}
	in.Profile = &changed
	return in
}

// propose finds the exception, or says why there is none.
func (c *Case) propose(service blame.Service, plan []blame.Applied, profile *profiles.Profile, root host.Root) {
	found := blame.Finding{
		Restriction: witness.Restriction{Kind: c.Refusal.Restriction, Subject: c.Refusal.Subject},
		Refusers: slices.DeleteFunc(slices.Clone(plan), func(a blame.Applied) bool {
			return !slices.Contains(c.Refusal.Directives, a.Directive.Name) || a.Lines == nil
		}),
	}
	if len(found.Refusers) == 0 {
		c.NotSo = "what is decided now does not refuse it: sudo temper apply " + c.Unit
		return
	}
	if c.NotSo = unsafe(found.Restriction); c.NotSo != "" {
		return
	}
	e := service.Exception(found, plan)
	if len(e.Already) > 0 {
		c.NotSo = fmt.Sprintf("the profile allows it already: sudo temper prove %s, then sudo temper apply %[1]s", c.Unit)
		return
	}
	var settings []profiles.Setting
	for _, s := range e.Settings {
		had, _ := profile.Setting(s.Name)
		if c.NotSo = tooMuch(service, root, found.Restriction.Kind, s, had); c.NotSo != "" {
			return
		}
		settings = append(settings, forgiving(s, had))
	}
	c.Exact = len(e.Weaker) == 0
	for _, a := range found.Refusers {
		if !slices.Contains(e.Weaker, a.Directive.Name) {
			continue
		}
		weaker, ok := service.Weakened(a, found.Restriction)
		exact := a.Directive.HasExceptions() || blame.ExceptionsOf(a.Directive) != nil ||
			blame.LiftingDirective(found.Restriction.Kind) != nil
		if !ok || exact { // a weaker value would allow much more than what was refused
			c.NotSo = notJust(a.Directive)
			return
		}
		settings = append(settings, weaker)
	}
	if len(settings) == 0 {
		c.NotSo = "no line of a profile allows just that"
		return
	}
	c.Settings = settings
	for _, s := range settings {
		c.Lines = append(c.Lines, s.Line())
	}
}

func notJust(d *directive.Directive) string {
	return "no line of a profile takes back just that of " + d.Name + "="
}

// forgiving makes the paths that an exception adds to a profile optional: systemd starts no service for which one of
// these is missing.
func forgiving(s, had profiles.Setting) profiles.Setting {
	added := addedPaths(s, had)
	s.Values = slices.Clone(s.Values)
	for i, v := range s.Values {
		if slices.Contains(added, v) && !strings.Contains(v, " ") {
			s.Values[i] = "-" + v
		}
	}
	return s
}

// addedPaths are the elements that an exception adds to a list of a profile and that name a path.
func addedPaths(s, had profiles.Setting) []string {
	d, _ := directive.Lookup(s.Name)
	if d == nil || d.With == "" {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Values), func(v string) bool {
		return !strings.HasPrefix(strings.TrimPrefix(v, "+"), "/") || slices.Contains(had.Values, v)
	})
}

// plain matches what can stand in a profile as it is. systemd.unit(5) reads spaces, quotes, specifiers and more.
var plain = regexp.MustCompile(`^[A-Za-z0-9_.,:@/+=~-]*$`)

// deciding are paths whose files decide what root executes or who may do what.
var deciding = []string{
	"/bin", "/boot", "/dev", "/efi", "/etc/cron.d", "/etc/cron.daily", "/etc/crontab", "/etc/default", "/etc/group",
	"/etc/init.d", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload", "/etc/pam.d", "/etc/passwd",
	"/etc/profile", "/etc/profile.d", "/etc/shadow", "/etc/ssh", "/etc/sudoers", "/etc/sudoers.d", "/etc/systemd",
	"/etc/temper", "/lib", "/proc", "/root", "/run/systemd", "/run/temper", "/run/udev", "/sbin", "/sys", "/usr",
	"/var/lib/temper", "/var/spool/cron",
}

// telling are paths whose files give who reads them the rights of others.
var telling = []string{
	"/etc/gshadow", "/etc/gshadow-", "/etc/krb5.keytab", "/etc/security/opasswd", "/etc/shadow", "/etc/shadow-",
	"/etc/ssh", "/etc/ssl/private", "/etc/sudoers", "/etc/sudoers.d", "/etc/temper", "/home", "/root",
	"/run/credentials", "/run/user", "/var/backups", "/var/lib/systemd", "/var/lib/temper", "/var/spool/cron",
}

// ofPaths are the kinds whose subject is a path that an exception may name.
var ofPaths = []refusal.Kind{refusal.PathReadOnly, refusal.PathHidden, refusal.PathAbsent, refusal.PathNoExec}

const decides = "who can write there decides what root does; write that line yourself if you really want it"

// unsafe says why no exception is offered from what a service has chosen; "" if nothing speaks against it.
func unsafe(r witness.Restriction) string {
	isBelow := func(dir string) bool { return host.Below(dir, r.Subject) }
	switch {
	case !plain.MatchString(r.Subject):
		return "it has characters that mean something else in a profile; write that line yourself if you want it"
	case !slices.Contains(ofPaths, r.Kind):
		return ""
	case !path.IsAbs(r.Subject) || path.Clean(r.Subject) != r.Subject:
		return "its path is not known exactly; write that line yourself if you want it"
	case r.Kind != refusal.PathHidden && slices.ContainsFunc(deciding, isBelow):
		return decides
	}
	return ""
}

// tooMuch says why an exception is not offered for the paths that it would open or show; "" if nothing speaks against
// it. They are other ones than the service was refused: the directory of a file, or the nearest one that is there.
func tooMuch(service blame.Service, root host.Root, kind refusal.Kind, s, had profiles.Setting) string {
	if d, _ := directive.Lookup(s.Name); d != nil && d.Showing(kind) != nil {
		return notJust(d) // it would show all that is below
	}
	for _, v := range addedPaths(s, had) {
		v, _, _ = strings.Cut(v, " ") // as in "/dev/kvm rw"
		name := service.OnMachine(v)
		overlaps := func(dir string) bool { return host.Below(dir, name) || host.Below(name, dir) }
		switch ofPath := slices.Contains(ofPaths, kind); {
		case ofPath && blame.IsShared(name):
			return fmt.Sprintf("it would open all of %s, where others keep their files; write that line yourself if you "+
				"really want it", name)
		case kind == refusal.PathHidden && slices.ContainsFunc(telling, overlaps):
			return "who can read there may get the rights of others; write that line yourself if you really want it"
		case ofPath && kind != refusal.PathHidden && slices.ContainsFunc(deciding, overlaps):
			return decides
		}
		if why := exchangeable(root, name); why != "" {
			return why
		}
	}
	return ""
}

// exchangeable says which part of a path somebody else than root could exchange for a link to another place. systemd
// follows links, so that an exception for such a path would be one for whatever the service wants.
func exchangeable(root host.Root, name string) string {
	for at, rest := "/", strings.TrimPrefix(name, "/"); ; {
		info, err := root.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "" // nothing is there, and only root can make it
		case err != nil: // such as a file system of a user, into which root may not look
			return fmt.Sprintf("what is there cannot be seen (%v); write that line yourself if you want it", err)
		case info.Mode()&fs.ModeSymlink != 0:
			return fmt.Sprintf("%q is a link; write that line yourself, with the path that you mean", at)
		case rest == "":
			return ""
		case root.Trusts(at, info) != nil:
			return fmt.Sprintf("others than root can put a link into %q; write that line yourself if you want it", at)
		}
		var next string
		next, rest, _ = strings.Cut(rest, "/")
		at = path.Join(at, next)
	}
}

// plan is the plan of the unit, with the demotions of its verdict.
func (in Input) plan() generator.Plan {
	i := in.Generator.Input(in.Unit.Without(generator.Dropin), in.Profile, in.Named)
	if v, err := in.Generator.Store.Get(in.Unit.ID); err == nil { // without a verdict nothing was demoted
		i.Demotions = v.Demotions
	}
	return generator.NewPlan(i)
}

func (in Input) exposure() (float64, error) {
	own := in.Unit.Without(generator.Dropin)
	e, err := offline.Exposure(own, generator.Dropin, in.plan().Text(), in.Generator.Version)
	return e.After, err
}

// appliedOf is a plan in the form that package blame takes.
func appliedOf(plan generator.Plan) (list []blame.Applied) {
	for _, i := range plan.Items {
		list = append(list, blame.Applied{Directive: i.Directive, Want: i.Want, Lines: i.Lines})
	}
	return list
}

// files are the files of the machine: whatever is there now was there before.
type files struct{ root host.Root }

func (f files) Root() host.Root { return f.root }

func (f files) ExistedAtStart(name string) bool {
	_, err := f.root.Lstat(name)
	return !errors.Is(err, fs.ErrNotExist)
}
