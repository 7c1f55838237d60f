// Package draft makes a profile for a service that has none.
//
// Call [Make]. It launches the service once without hardening and records what it uses. Then it asks for the strictest
// hardening that the bases have, with an exception for each of these needs, for those that were observed and that a
// person has accepted, and for what the vendor's unit grants by name. A proof of that finds the rest. The result is the
// shortest profile that says it, each exception with its reason.
//
// The profile is marked as a draft, and never applied until a person has taken the mark away: whoever has taken a
// service over can make it need anything.
package draft

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"temper/harness"
	"temper/harness/place"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/needs"
	"temper/profiles"
)

// Options say for which unit a profile is drafted, and where it is tried.
type Options struct {
	Unit     string
	Profiles *profiles.Set
	Observed needs.Record // what is known of the unit from observation
	Open     func(ctx context.Context) (*place.Place, error)
	Progress func(text string)
	View     bool             // the service is to see only what it needs
	Checks   []profiles.Check // further ones for the proof, which the draft does not have, as the tests of a package
}

// A Draft is a profile that a person has to read before it applies.
type Draft struct {
	Unit       string           `json:"unit"`
	Profile    string           `json:"profile"` // its name
	Text       string           `json:"text"`
	Result     string           `json:"verdict"` // of the proof on which it rests
	Exposure   verdict.Exposure `json:"exposure"`
	Exceptions []Exception      `json:"exceptions"`
	Checks     []string         `json:"checks"` // their names
	Unseen     []string         `json:"unseen"` // what no launch has shown
	Launches   int              `json:"launches"`
	Seconds    float64          `json:"seconds"`
	File       string           `json:"file,omitempty"` // where it was written

	// Proof is the verdict of the proof on which it rests, as steps down from the strictest base: the exceptions are
	// its demotions, and all launches are counted.
	Proof verdict.Verdict `json:"-"`
}

// An Exception is what a draft does not forbid although the strictest base does.
type Exception struct {
	Directive string   `json:"directive"`
	Line      string   `json:"line"` // of the profile
	Reasons   []string `json:"reasons"`
}

// ErrHasProfile says that a profile applies to the unit already.
var ErrHasProfile = errors.New("it has a profile")

// Undecided is the error about a service that cannot be judged, so that there is nothing to write.
type Undecided struct {
	Verdict verdict.Verdict
	Log     []string // of the last launch
}

func (e *Undecided) Error() string {
	return fmt.Sprintf("%s: no profile can be drafted: the proof is %s: %s", e.Verdict.Unit, e.Verdict.Result,
		e.Verdict.Reason)
}

// Make drafts a profile for a service. It takes a few launches of the service in places of their own. The error is an
// [Undecided] if the service cannot be judged.
func Make(ctx context.Context, o Options) (Draft, error) {
	begin := time.Now()
	s, baseline, err := launchBaseline(ctx, o)
	if err != nil {
		return Draft{}, err
	}
	s.allow(baseline)
	v, err := s.prove(ctx, o)
	if err != nil {
		return Draft{}, err
	}
	s.learn(v)
	if _, err := s.profile(); err != nil {
		return Draft{}, err
	}
	v.Demotions, v.Trials = s.demotions(), v.Trials+baseline.Launches
	v.Seconds = time.Since(begin).Round(time.Millisecond).Seconds()
	d := Draft{
		Unit: s.unit.ID, Profile: s.name, Text: s.text(), Result: v.Result, Exposure: v.Exposure,
		Exceptions: s.exceptions(), Checks: []string{}, Unseen: s.unseen, Launches: v.Trials, Seconds: v.Seconds,
		Proof: v,
	}
	for _, c := range s.checks {
		d.Checks = append(d.Checks, c.name)
	}
	return d, nil
}

// launchBaseline launches the service as its vendor wrote it. Where it can be reloaded, it is: a service whose reload
// fails without hardening is launched once more without that. Where it fails even so, the proof is to tell why.
func launchBaseline(ctx context.Context, o Options) (*sketch, harness.Baseline, error) {
	s, b, err := launchOnce(ctx, o, reloads)
	if s != nil && s.reload && errors.Is(err, harness.ErrBroken) {
		s, b, err = launchOnce(ctx, o, func(*unit.Unit) bool { return false })
		b.Launches++
		if err == nil {
			s.unseen = append(s.unseen, "that it survives a reload: a reload fails without hardening too")
		}
	}
	if s != nil && errors.Is(err, harness.ErrBroken) {
		b.Launches++
		b.UsesUnknown, err = err, nil
	}
	return s, b, err
}

func launchOnce(
	ctx context.Context, o Options, reload func(*unit.Unit) bool,
) (s *sketch, b harness.Baseline, err error) {
	where, err := o.Open(ctx)
	if err != nil {
		return nil, b, err
	}
	defer func() { err = errors.Join(err, where.Close()) }()
	u, err := (&unit.Loader{Root: where.Root(), Version: where.SystemdVersion()}).Load(o.Unit)
	if err != nil {
		return nil, b, err
	}
	// The base of the setting unprofiled has no units: a service that has nothing but that may get a draft.
	if p, _ := o.Profiles.For(u); p != nil && !p.Draft && len(p.Units) > 0 {
		return nil, b, fmt.Errorf("%s: %w: %s", u.ID, ErrHasProfile, p.Path)
	}
	p := readProgram(where.Root(), verdict.Program(where.Root(), u))
	if s, err = newSketch(o.Profiles, u, o.View, p); err != nil {
		return nil, b, err
	}
	s.reload, s.version = reload(u), where.SystemdVersion()
	s.noteObserved(o.Observed)
	sketched, err := s.profile()
	if err != nil {
		return s, b, err
	}
	b, err = harness.LaunchBaseline(ctx, harness.Options{
		Place: where, Profiles: o.Profiles, Profile: sketched, Unit: u.ID, Progress: o.Progress,
		Used: o.Observed.Accepted(), Files: o.View,
	})
	return s, b, err
}

// prove proves the service under the sketch. The verdict is kept nowhere: it is about a profile that nobody has yet.
func (s *sketch) prove(ctx context.Context, o Options) (v verdict.Verdict, err error) {
	p, err := s.profile()
	if err != nil {
		return v, err
	}
	p.Checks = append(p.Checks, o.Checks...)
	where, err := o.Open(ctx)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, where.Close()) }()
	var last verdict.Trial
	v, err = harness.Prove(ctx, harness.Options{
		Place: where, NewPlace: o.Open, Profiles: o.Profiles, Profile: p, Unit: s.unit.ID, Progress: o.Progress,
		Used: o.Observed.Accepted(), Trial: func(t verdict.Trial) { last = t },
	})
	if err == nil && !v.Works() {
		err = &Undecided{Verdict: v, Log: last.Log}
	}
	return v, err
}

// ProfileName is the name of the profile for a unit: a backslash can stand in the name of a unit alone.
func ProfileName(unit string) string {
	return strings.ReplaceAll(strings.TrimSuffix(unit, ".service"), `\`, "_")
}
