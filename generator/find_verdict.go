package generator

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"temper/internal/ready"
	"temper/internal/unit"
	"temper/internal/verdict"
)

// findVerdict returns the verdict that counts for a unit: its own, or that of its template; nil if there is none. The
// error says that a verdict cannot be read; what was applied before stands in for it, or where nothing was, a person's
// word that nothing is to be.
func (g *Generator) findVerdict(in Input) (v *verdict.Verdict, err error) {
	v, err = g.ownVerdict(in)
	if v == nil && err == nil {
		v, err = g.templateVerdict(in)
	}
	if v == nil && err != nil {
		v = g.appliedBefore(in.Unit.ID, in.Profile.Name)
	}
	if v == nil && err != nil && (g.Store.MayBeRevoked(in.Unit.ID) || g.Store.MayBeRevoked(in.Unit.Template())) {
		v = &verdict.Verdict{
			Schema: verdict.Schema, Unit: in.Unit.ID, Result: verdict.Revoked,
			Reason: "its verdict cannot be read",
		}
	}
	return v, err
}

// appliedBefore returns a verdict that says what the last decision applied to a unit, as the boot record has it; nil if
// it applied nothing. It never holds: it stands in for one that cannot be read.
func (g *Generator) appliedBefore(id, profile string) *verdict.Verdict {
	record, _ := ready.Load(g.Root.Dir())
	text := WithoutGuard(string(record.Text(id)))
	assignments, _, err := unit.Parse(ready.Path, strings.NewReader(text))
	v := verdict.Verdict{
		Schema: verdict.Schema, Unit: id, Profile: profile, Result: verdict.Proven, Systemd: g.Version,
		Dropin: text, Stale: true, Changes: []verdict.Change{verdict.Unreadable},
		StaleReason: "its verdict cannot be read",
	}
	for _, a := range assignments {
		if a.Section == "Service" {
			value := strings.ReplaceAll(a.Value, "%%", "%")
			v.Applied = append(v.Applied, verdict.Applied{Directive: a.Name, Value: value})
		}
	}
	if err != nil || len(v.Applied) == 0 {
		return nil
	}
	return &v
}

// ownVerdict returns the verdict on a unit of that name, nil if there is none. A verdict of this machine comes before
// one of a package, with some exceptions: a shipped verdict that is not stale comes before a copy of a shipped verdict,
// and before one without demotions that is stale or only started. None of these records something that broke on this
// machine.
func (g *Generator) ownVerdict(in Input) (*verdict.Verdict, error) {
	own, err := g.check(in, g.Store.Own())
	if err != nil {
		return nil, err
	}
	if own != nil && !yieldsToShipped(own) {
		return own, nil
	}
	shipped, err := g.check(in, g.Store.Shipped())
	switch {
	case own == nil && err == nil && shipped != nil && shipped.Stale:
		shipped.Changes = append(shipped.Changes, verdict.NeverHere)
	case own == nil && shipped != nil:
		shipped.NoCopy = shipped.Result == verdict.Proven
	case own != nil && !saysMore(shipped, own):
		return own, nil // a damaged shipped verdict is a problem only if there is no other
	case own != nil:
		shipped.LastAttempt, shipped.Tried = own.LastAttempt, own.Tried
	}
	return shipped, err
}

// withUnusableProfiles returns the verdicts of this machine whose profile has an error now, by their unit: what was
// proven outlasts a slip in a file. It has only units to which no other profile applies.
func (g *Generator) withUnusableProfiles() map[string]*verdict.Verdict {
	unusable := g.Profiles.Unusable()
	if len(unusable) == 0 || g.Settings.Stale == Drop {
		return nil
	}
	kept := map[string]*verdict.Verdict{}
	names, _ := g.withVerdict(g.Store.Own()) // Decisions tells of an error
	for _, name := range names {
		v, err := g.Store.Own().Get(name) // Decisions tells of an error where the unit has a profile
		if err != nil || v.Result != verdict.Proven || v.Draft || !slices.Contains(unusable, v.Profile) {
			continue
		}
		u, err := g.load(name)
		if err != nil || u.ID != name {
			continue
		}
		if p, _ := g.Profiles.For(u); p != nil {
			continue
		}
		// Without the profile no drop-in can be made for a unit that is another now.
		now, err := verdict.Take(g.Root, u.Without(Dropin), v.Fingerprint.Profile, g.Version)
		if err == nil && !slices.Contains(v.Fingerprint.Changes(now), verdict.UnitChanged) {
			kept[name] = &v
		}
	}
	return kept
}

// withVerdict lists the units that have a verdict in a store. If it cannot be listed, which the error says, those to
// which the last decision gave something are among them.
func (g *Generator) withVerdict(s verdict.Store) ([]string, error) {
	names, err := s.Units()
	if err != nil {
		record, _ := ready.Load(g.Root.Dir())
		for _, d := range record.Dropins {
			names = append(names, d.Unit)
		}
	}
	return names, err
}

// saysMore reports whether a shipped verdict comes before one of this machine that yields to it.
func saysMore(shipped, own *verdict.Verdict) bool {
	return shipped != nil && !shipped.Stale && (own.Result != verdict.Started || shipped.Works())
}

// yieldsToShipped reports whether a verdict in this machine's store records nothing that was seen on this machine.
func yieldsToShipped(v *verdict.Verdict) bool {
	if v.Result == verdict.Started {
		return len(v.Demotions) == 0
	}
	return v.Result == verdict.Proven && (v.Stale && len(v.Demotions) == 0 || v.Fingerprint.Shipped())
}

// check returns the verdict of a store on a unit, marked stale where its fingerprint no longer matches.
func (g *Generator) check(in Input, store verdict.Store) (*verdict.Verdict, error) {
	v, err := store.Get(in.Unit.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if v.Result == verdict.Revoked { // it is about the unit, whatever it is
		return &v, nil
	}
	now, err := g.Fingerprint(in)
	if err != nil {
		return nil, err
	}
	v.Changes, v.Tried = v.Fingerprint.Changes(now), v.Attempted(now)
	// What a package brought says the same in every format, and nobody proves it again for that.
	if v.Schema < verdict.Schema && !v.Fingerprint.Shipped() {
		v.Changes = append(v.Changes, verdict.FormatChanged)
	}
	v.Stale, v.StaleReason = len(v.Changes) > 0, v.Fingerprint.InWords(v.Changes, now)
	return &v, nil
}

// templateVerdict returns the verdict on the template of an instance, if it applies and gives the instance, with the
// instance's own drop-ins, the same assignments.
func (g *Generator) templateVerdict(in Input) (*verdict.Verdict, error) {
	template := in.Unit.Template()
	if template == "" || template == in.Unit.ID {
		return nil, nil
	}
	u, err := g.load(template)
	if err != nil {
		return nil, nil // an instance can have its own unit file and no template
	}
	of := in
	of.Unit = u
	v, err := g.ownVerdict(of)
	if v != nil && v.Result == verdict.Revoked {
		return v, err
	}
	how := g.whatApplies(v, in.Profile)
	if how == nothing {
		return nil, err
	}
	applied := v.Applied
	if how != asProven {
		applied = NewPlan(how.planInput(of, v)).Applied()
	}
	if !slices.Equal(NewPlan(how.planInput(in, v)).Applied(), applied) {
		return nil, nil
	}
	return v, nil
}
