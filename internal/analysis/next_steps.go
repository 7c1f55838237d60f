package analysis

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"temper/analyzer/exposure"
	"temper/analyzer/report"
	"temper/internal/offline"
	"temper/internal/output"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// advise adds the advice to the entry if the run has only one unit.
func (a *Analysis) advise(e report.Entry, u *unit.Unit, units int) report.Entry {
	if e.Err != nil || u == nil || units != 1 || a.Next <= 0 {
		return e
	}
	list, err := offline.Advise(u, a.Options)
	if err != nil {
		a.Warn(fmt.Errorf("what to do next: %w", err))
		return e
	}
	set, _ := a.profiles() // `temper check` reports what is wrong with profiles
	p, _ := set.For(u)
	v, err := verdict.Store{Root: a.Source.Root}.Get(u.ID)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) { // only root reads them
		a.Warn(err)
	}
	for _, advice := range list[:min(a.Next, len(list))] {
		e.Next = append(e.Next, next(advice, p, v))
	}
	return e
}

// next says whether the profile of a unit sets the advised directive, and whether its verdict demoted it.
func next(advice exposure.Advice, p *profiles.Profile, v verdict.Verdict) report.Next {
	n := report.Next{Advice: advice}
	if p == nil {
		return n
	}
	if s, ok := p.Setting(advice.Directive); ok {
		n.Profile, n.Sets = p.Name, strings.Join(s.Values, "; ")
	}
	for _, d := range v.Demotions {
		if d.Directive == advice.Directive {
			n.Demotion = fmt.Sprintf("from %s to %s: %s", output.Short(d.From), output.Short(d.To), d.Reason)
		}
	}
	return n
}
