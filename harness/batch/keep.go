package batch

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"temper/generator"
	"temper/internal/ready"
	"temper/internal/verdict"
	"temper/profiles"
)

// keep stores a verdict and returns the outcome for its unit. A result that proves nothing does not replace a verdict
// that was proven, or that says what breaks: it is stored beside it.
func (b *batch) keep(v verdict.Verdict, trials []verdict.Trial) (Outcome, error) {
	if v.Result != verdict.Proven && b.damaged(v.Unit) {
		b.Report.Warn(fmt.Errorf("%s: what was proven before stays, and nothing is kept of this attempt", v.Unit))
		return max(Findings, b.judge(v)), b.putTrials(v.Unit, trials)
	}
	old, counts := b.before(v)
	if why := weaker(v, old); b.NoRegress && why != "" {
		b.Report.Warn(fmt.Errorf("%s: %s: the stored verdict is kept, beside the trials of this proof", v.Unit, why))
		return Findings, b.putTrials(v.Unit, trials)
	}
	switch {
	case v.Result == verdict.Proven:
	case old.Result == verdict.Broken && v.Works() && b.applies(v): // it works with what the proof leaves
	case counts:
		if old.Result == verdict.Proven {
			b.Report.Warn(fmt.Errorf("%s: what was proven before stays, and this attempt is kept beside it", v.Unit))
		}
		old.LastAttempt = &verdict.Attempt{Result: v.Result, Reason: v.Reason, Fingerprint: v.Fingerprint}
		return max(Findings, b.judge(v)), b.putProof(old, trials)
	case b.OnlyProven && !v.Works():
		return Undecided, b.putTrials(v.Unit, trials)
	}
	if err := b.putProof(v, trials); err != nil {
		return Undecided, err
	}
	return b.judge(v), nil
}

// judge returns the outcome of a verdict that is stored.
func (b *batch) judge(v verdict.Verdict) Outcome {
	switch {
	case !v.Works():
		return Undecided
	case !b.applies(v), len(v.Loose) > 0:
		return Findings
	case b.Strict && (len(v.Demotions) > 0 || len(v.Unchecked()) > 0 || b.exceeds(v)):
		return Findings
	}
	return Clean
}

// applies reports whether the result is enough to apply what the proof found.
func (b *batch) applies(v verdict.Verdict) bool {
	settings, _ := generator.LoadSettings(b.Root) // the generator reports errors in them
	return settings.Applies(v.Result, b.profileOf(v))
}

// profileOf is the profile under which a unit was proven; nil if there is none of that name.
func (b *batch) profileOf(v verdict.Verdict) *profiles.Profile {
	p := b.Profile
	if p == nil && b.Profiles != nil {
		p, _ = b.Profiles.Get(v.Profile)
	}
	return p
}

// putProof stores a verdict with the log of its trials, where that may be kept.
func (b *batch) putProof(v verdict.Verdict, trials []verdict.Trial) error {
	if b.NoLogs {
		return b.Store.PutShared(v)
	}
	return b.Store.PutProof(v, trials)
}

// putTrials stores only the log of the trials, where that may be kept.
func (b *batch) putTrials(unit string, trials []verdict.Trial) error {
	if b.NoLogs {
		return nil
	}
	return b.Store.PutTrials(unit, trials)
}

// before returns what is stored about a unit. It counts where it says something of this machine: it is of this machine,
// or a package brought it and it holds for the unit that has been tried now.
func (b *batch) before(v verdict.Verdict) (old verdict.Verdict, counts bool) {
	old, err := b.Store.Own().Get(v.Unit)
	own := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		old, err = b.Store.Shipped().Get(v.Unit)
	}
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			b.Report.Warn(fmt.Errorf("%w; it is replaced", err))
		}
		return verdict.Verdict{}, false
	}
	saysSomething := slices.Contains([]string{verdict.Proven, verdict.Broken, verdict.Revoked}, old.Result)
	return old, saysSomething && (own || len(old.Fingerprint.Changes(v.Fingerprint)) == 0)
}

// damaged reports whether the verdict on a unit cannot be read, and the unit is hardened for the sake of it all the
// same.
func (b *batch) damaged(unit string) bool {
	_, err := b.Store.Get(unit)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return false
	}
	record, _ := ready.Load(b.Store.Root.Dir())
	return record.Text(unit) != nil
}

// exceeds reports whether a hardened service has more exposure than its profile allows, and warns if so.
func (b *batch) exceeds(v verdict.Verdict) bool {
	p := b.profileOf(v)
	if p == nil || p.Prove.Exposure == 0 || v.Exposure.After <= p.Prove.Exposure {
		return false
	}
	b.Report.Warn(
		fmt.Errorf("%s: exposure %.1f, the profile wants %.1f at most", v.Unit, v.Exposure.After, p.Prove.Exposure),
	)
	return true
}

// weaker says why a verdict is weaker than an older one; "" if it is not.
func weaker(v, old verdict.Verdict) string {
	switch {
	case old.Result != verdict.Proven:
		return ""
	case v.Result != verdict.Proven:
		return fmt.Sprintf("%s, was %s", v.Result, old.Result)
	case v.Exposure.After > old.Exposure.After:
		return fmt.Sprintf("exposure %.1f, was %.1f", v.Exposure.After, old.Exposure.After)
	case len(v.Demotions) > len(old.Demotions):
		return fmt.Sprintf("demotions are %d, were %d", len(v.Demotions), len(old.Demotions))
	}
	return ""
}
