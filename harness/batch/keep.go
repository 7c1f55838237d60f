package batch

import (
	"errors"
	"fmt"
	"io/fs"

	"temper/internal/verdict"
)

// keep stores a verdict unless the options forbid it, and returns the outcome for its unit.
func (b *batch) keep(v verdict.Verdict, trials []verdict.Trial) (Outcome, error) {
	old, err := b.Store.Get(v.Unit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Report.Warn(fmt.Errorf("%w; it is replaced", err))
	}
	if why := weaker(v, old); b.NoRegress && err == nil && why != "" {
		b.Report.Warn(fmt.Errorf("%s: %s: the stored verdict is kept, beside the trials of this proof", v.Unit, why))
		return Findings, b.putTrials(v.Unit, trials)
	}
	if v.Result == verdict.Inconclusive || b.OnlyProven && v.Result != verdict.Proven {
		return Undecided, b.putTrials(v.Unit, trials)
	}
	if err := b.putProof(v, trials); err != nil {
		return Undecided, err
	}
	switch {
	case v.Result != verdict.Proven:
		return Undecided, nil
	case b.Strict && (len(v.Demotions) > 0 || b.exceeds(v)), len(v.Loose) > 0:
		return Findings, nil
	}
	return Clean, nil
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

// exceeds reports whether a hardened service has more exposure than its profile allows, and warns if so.
func (b *batch) exceeds(v verdict.Verdict) bool {
	p := b.Profile
	if p == nil {
		p, _ = b.Profiles.Get(v.Profile)
	}
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
