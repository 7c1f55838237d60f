package offline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"temper/analyzer/exposure"
	"temper/internal/directive"
	"temper/internal/unit"
)

// adviceFile is a drop-in that is read after every other one.
const adviceFile = "/etc/systemd/system/~temper-advice.conf"

// Advise ranks the assignments that would lower the exposure of a service, those that lower it most first. Each is
// tried alone, as the last drop-in: Saves is by how much the score falls. Errors are those of [Score].
func Advise(u *unit.Unit, o exposure.Options) ([]exposure.Advice, error) {
	before, err := Score(u, o)
	if err != nil {
		return nil, err
	}
	var list []exposure.Advice
	for _, fix := range before.Fixes() {
		a, err := advice(u, o, before, fix)
		if err != nil {
			return nil, err
		}
		if a.Saves > 0 {
			list = append(list, a)
		}
	}
	slices.SortStableFunc(list, func(a, b exposure.Advice) int {
		switch {
		case a.Saves > b.Saves:
			return -1
		case a.Saves < b.Saves:
			return 1
		}
		return strings.Compare(a.Assignment(), b.Assignment())
	})
	return list, nil
}

// advice tries the assignment that makes one row good.
func advice(u *unit.Unit, o exposure.Options, before exposure.Report, fix exposure.Fix) (exposure.Advice, error) {
	with, err := u.With(adviceFile, "[Service]\n"+fix.Assignment+"\n")
	if err != nil {
		return exposure.Advice{}, fmt.Errorf("try %s: %w", fix.Assignment, err)
	}
	after, err := Score(with, o)
	if errors.Is(err, exposure.ErrRefused) {
		return exposure.Advice{}, nil
	}
	if err != nil {
		return exposure.Advice{}, err
	}
	name, value, _ := strings.Cut(fix.Assignment, "=")
	a := exposure.Advice{
		Directive: name, Value: value,
		Saves: math.Round((before.Unrounded()-after.Unrounded())*100) / 100,
	}
	if d, ok := directive.Lookup(name); ok {
		a.Forbids, a.Breaks = d.Forbids, d.Breaks
	}
	for _, d := range exposure.Compare(before, after) {
		if d.Before.Exposure > d.After.Exposure {
			a.Rows = append(a.Rows, d.After.JSONField)
		}
		if d.After.JSONField == fix.JSONField {
			a.Then = d.After.Description
		}
	}
	return a, nil
}
