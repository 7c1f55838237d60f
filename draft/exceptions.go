package draft

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"temper/generator"
	"temper/harness"
	"temper/harness/blame"
	"temper/internal/directive"
	"temper/internal/plain"
	"temper/internal/refusal"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/needs"
	"temper/profiles"
)

// strictest is the base that forbids as much as any other does, or more, by every directive.
const strictest = "base/strict"

// viewing is the base with which a service sees only what it needs.
const viewing = "base/view"

// A sketch is a profile while it is made.
type sketch struct {
	set     *profiles.Set
	bases   []*profiles.Profile // what it can extend
	unit    *unit.Unit
	version int // of systemd
	name    string

	settings []*setting
	reload   bool
	settle   time.Duration
	checks   []check
	about    []string // what its program tells
	unseen   []string

	observed map[string]bool // the evidence of what a person has accepted
}

// A setting is one directive of the sketch.
type setting struct {
	directive *directive.Directive
	strictest []string // its values in the strictest base
	values    []string // nil is off
	reasons   []string // why it is weaker than in the strictest base
}

// newSketch begins with what a service is to be forbidden, before anything is known of it but its program.
func newSketch(set *profiles.Set, u *unit.Unit, view bool, p program) (*sketch, error) {
	begin, always := []string{strictest}, []string(nil)
	switch {
	case p.opensSession:
		begin = []string{sessions}
	case view:
		begin, always = append(begin, viewing), []string{viewing}
	}
	base, err := profiles.ParseText("draft", "extends = ["+quoteAll(begin)+"]", set)
	if err != nil {
		return nil, err
	}
	s := &sketch{
		set: set, bases: baseProfiles(set, always...), unit: u.Without(generator.Dropin), name: ProfileName(u.ID),
		observed: map[string]bool{},
	}
	for _, b := range base.Service {
		x := s.setting(b.Name)
		x.strictest, x.values = b.Values, b.Values
	}
	s.noteProgram(p)
	if view && p.opensSession {
		s.about = append(s.about, "Its sessions see all files: --view has no effect on it.")
	}
	return s, nil
}

// reloads reports whether a service can be reloaded.
func reloads(u *unit.Unit) bool {
	command, _ := u.Last("Service", "ExecReload")
	kind, _ := u.Last("Service", "Type")
	return command.Value != "" || kind.Value == "notify-reload"
}

// setting returns the setting of a directive of the table, which is added if there is none.
func (s *sketch) setting(name string) *setting {
	i := slices.IndexFunc(s.settings, func(x *setting) bool { return x.directive.Name == name })
	if i >= 0 {
		return s.settings[i]
	}
	d, _ := directive.Lookup(name)
	s.settings = append(s.settings, &setting{directive: d})
	return s.settings[len(s.settings)-1]
}

// noteObserved notes what is known of the service from observation.
func (s *sketch) noteObserved(r needs.Record) {
	accepted := r.Accepted()
	for _, n := range accepted {
		s.observed[n.Evidence()] = true
	}
	switch open := len(r.Needs) - len(accepted); {
	case !r.Observed():
		s.unseen = append(s.unseen, "what it does in use, unless its checks do it: sudo temper observe "+s.unit.ID)
	case open > 0:
		s.unseen = append(s.unseen, fmt.Sprintf(
			"%d needs were observed and are not accepted: sudo temper observe --accept %s", open, s.unit.ID))
	}
}

// allow makes exceptions for what the launch without hardening used and the unit grants, and adds the checks.
func (s *sketch) allow(b harness.Baseline) {
	used := map[string]needs.Need{}
	for _, n := range slices.Concat(b.Used, b.Own) {
		used[n.Evidence()] = n
	}
	for _, d := range b.Demotions {
		s.weaken(d, s.reasons(d.Evidence, used))
	}
	s.foldView()
	granted := generator.Needs(s.unit, s.version)
	for _, x := range s.settings {
		if x.values == nil {
			continue
		}
		spared, kept := generator.Spare(x.directive, x.values, granted, s.version)
		if len(kept) > 0 {
			x.values = spared
			x.reasons = append(x.reasons, "the vendor's unit grants it by name: "+strings.Join(kept, ", "))
		}
	}
	if b.UsesUnknown != nil {
		s.unseen = append(s.unseen, fmt.Sprintf("what it uses: %v", b.UsesUnknown))
	}
	if b.Lost > 0 {
		s.unseen = append(s.unseen, fmt.Sprintf("%d uses, which came too fast to be recorded", b.Lost))
	}
	s.settle = settle(b.Ages)
	s.checks = checksOf(b.Answers)
}

// reasons says of each need that is evidence what it is: those of one program and kind together.
func (s *sketch) reasons(evidence []verdict.Evidence, used map[string]needs.Need) []string {
	var heads []string
	subjects := map[string][]string{}
	for _, e := range evidence {
		head, subject := "used: ", e.Text
		if n, known := used[e.Text]; known {
			head, subject = n.Does()
			head = fmt.Sprintf("%q %s ", n.Program, head)
			if n.Program == "" {
				head = "its user owns "
			}
			if s.observed[e.Text] {
				subject += fmt.Sprintf(" (observed %d times, accepted)", n.Count)
			}
		}
		if subjects[head] == nil {
			heads = append(heads, head)
		}
		subjects[head] = append(subjects[head], subject)
	}
	var list []string
	for _, head := range heads {
		list = append(list, head+strings.Join(shown(subjects[head]), ", "))
	}
	return list
}

// settle is how long a service takes until all of its processes run; 0 if that is not longer than trials wait anyway.
func settle(ages map[string][]time.Duration) time.Duration {
	least, most := time.Duration(math.MaxInt64), time.Duration(0)
	for _, list := range ages {
		for _, age := range list {
			least, most = min(least, age), max(most, age)
		}
	}
	if most-least <= profiles.DefaultSettle {
		return 0
	}
	return min((most-least).Truncate(time.Second)+2*time.Second, longestSettle)
}

// longestSettle bounds how long each trial of the draft waits.
const longestSettle = 10 * time.Second

// weaken takes over a step down from the strictest base.
func (s *sketch) weaken(d verdict.Demotion, reasons []string) {
	if _, known := directive.Lookup(d.Directive); !known {
		return
	}
	x := s.setting(d.Directive)
	x.values = optional(x.directive, d.Lines())
	for _, r := range append(slices.Clone(reasons), s.sharing(x)...) {
		if r = oneLine(r); r != "" && !slices.Contains(x.reasons, r) {
			x.reasons = append(x.reasons, r)
		}
	}
}

// sharing says which directories a list of exceptions opens although others keep files there.
func (s *sketch) sharing(x *setting) (list []string) {
	if !x.directive.Gathers && x.directive.Lifts != refusal.PathReadOnly {
		return nil
	}
	had := x.directive.Grants(x.strictest, s.version)
	for _, dir := range x.directive.Grants(x.values, s.version) {
		if blame.HoldsOthers(dir) && !slices.Contains(had, dir) {
			list = append(list, "all of "+dir+", where others keep files too")
		}
	}
	return list
}

// optional makes the paths in a list of exceptions optional: systemd starts no service for which one is missing.
func optional(d *directive.Directive, values []string) []string {
	if d.With == "" || !d.ListsPaths() {
		return values
	}
	values = slices.Clone(values)
	for i, v := range values {
		if strings.HasPrefix(strings.TrimPrefix(v, "+"), "/") && !strings.Contains(v, " ") {
			values[i] = "-" + v
		}
	}
	return values
}

// learn takes over what the proof has found: steps down, which checks show something, and what nothing has shown. A
// profile is passed on, so it has no line of a log in it, nor what the service answered.
func (s *sketch) learn(v verdict.Verdict) {
	v = v.Shared()
	for _, d := range v.Demotions {
		var list []string
		for _, e := range d.Evidence {
			list = append(list, fmt.Sprintf("a trial failed: %s", e.Text))
		}
		if len(list) == 0 {
			list = []string{d.Reason}
		}
		s.weaken(d, list)
	}
	for _, a := range v.Advisories {
		if a.Kind == "unseen" && !strings.Contains(a.Text, "holds was not seen") {
			s.unseen = append(s.unseen, a.Text)
		}
	}
	if v.Use == nil {
		return
	}
	for _, c := range v.Use.Checks {
		i := slices.IndexFunc(s.checks, func(x check) bool { return x.name == c.Name })
		if i < 0 || c.Result == verdict.Passed {
			continue
		}
		s.checks = slices.Delete(s.checks, i, i+1)
		s.unseen = append(s.unseen, fmt.Sprintf("whether it %s: %s", c.Name, unpassed[c.Result]))
	}
	for _, g := range v.Use.Unused() {
		s.unseen = append(s.unseen,
			fmt.Sprintf("that it uses what the vendor's unit grants: %s=%s", g.Directive, g.Name))
	}
	if !v.Use.Used() {
		s.unseen = append(s.unseen, "that it does its work: write a [[check]] that uses it, or it is not applied")
	}
}

// unpassed says what became of a check that has not passed.
var unpassed = map[string]string{
	verdict.Failed:   "its check failed, which temper prove tells in full",
	verdict.NotRun:   "its check did not run, since something that it needs is missing",
	verdict.SetAside: "its check fails alike without hardening",
}

// exceptions lists the settings that are weaker than in the strictest base.
func (s *sketch) exceptions() []Exception {
	list := []Exception{}
	for _, x := range s.settings {
		if len(x.reasons) > 0 {
			list = append(list, Exception{Directive: x.directive.Name, Line: s.line(x), Reasons: x.reasons})
		}
	}
	return list
}

// demotions are the exceptions as steps down from the strictest base.
func (s *sketch) demotions() []verdict.Demotion {
	list := []verdict.Demotion{}
	for _, x := range s.settings {
		if len(x.reasons) == 0 {
			continue
		}
		d := verdict.Demotion{
			Directive: x.directive.Name, To: verdict.Join(x.values), Reason: strings.Join(shown(x.reasons), "; "),
			Evidence: []verdict.Evidence{},
		}
		if x.strictest != nil {
			d.From = verdict.Join(x.strictest)
		}
		list = append(list, d)
	}
	return list
}

// oneLine makes a comment of one line of what a service may have chosen.
func oneLine(text string) string {
	const most = 160
	text = plain.Line(text)
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return text
}
