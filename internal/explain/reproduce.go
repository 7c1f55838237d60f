package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"temper/generator"
	"temper/internal/directive"
	"temper/internal/hint"
	"temper/internal/host"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// A Reproduction is what one needs to see by hand what a demoted directive breaks.
type Reproduction struct {
	Verdict  verdict.Verdict
	Demotion verdict.Demotion
	Lines    []verdict.Applied // the assignments of the directive before its demotion
}

// Reproduce finds a demoted directive in the stored verdict on a unit of a root.
func Reproduce(root host.Root, store verdict.Store, name, demoted string) (Reproduction, error) {
	v, err := store.Get(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Reproduction{}, hint.With(fmt.Errorf("%s has no verdict", name), "sudo temper prove "+name)
	}
	if err != nil {
		return Reproduction{}, err
	}
	d, ok := demotionOf(v, strings.TrimSuffix(demoted, "="))
	if !ok {
		return Reproduction{}, hint.With(fmt.Errorf("%s= of %s was not demoted", demoted, name), "temper show "+name)
	}
	lines, err := before(root, v, d)
	return Reproduction{v, d, lines}, err
}

func demotionOf(v verdict.Verdict, name string) (verdict.Demotion, bool) {
	for _, d := range v.Demotions {
		if strings.EqualFold(d.Directive, name) {
			return d, true
		}
	}
	return verdict.Demotion{}, false
}

// before lists the assignments that the drop-in had for a directive before its demotion. They are those of the profile
// merged with what the unit sets, since the lines of the profile can mean something else after those of the unit.
func before(root host.Root, v verdict.Verdict, d verdict.Demotion) ([]verdict.Applied, error) {
	lines := verdict.Demotion{To: d.From}.Lines()
	if of, known := directive.Lookup(d.Directive); !known || d.From == "" && !of.Restricts() || lines == nil {
		return nil, nil // a list of exceptions had no entry
	}
	loader := &unit.Loader{Root: root, Version: v.Systemd}
	u, err := loader.Load(v.Unit)
	if err != nil {
		return nil, err
	}
	asked := &profiles.Profile{
		Name:    v.Profile,
		Service: []profiles.Setting{{Name: d.Directive, Values: lines, Profile: v.Profile}},
	}
	plan := generator.NewPlan(generator.Input{Unit: u, Profile: asked, Named: true, Version: v.Systemd})
	if len(plan.Items) == 0 { // the unit has changed since the proof
		return nil, hint.With(
			fmt.Errorf("%s= of %s: %s", d.Directive, v.Unit, plan.LeftOut[0].Reason),
			"sudo temper prove "+v.Unit,
		)
	}
	return plan.Applied(), nil
}
