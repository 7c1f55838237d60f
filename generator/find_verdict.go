package generator

import (
	"errors"
	"io/fs"
	"slices"

	"temper/internal/verdict"
)

// findVerdict returns the verdict that counts for a unit: its own, or that of its template. Without one it is nil. The
// error tells of one that cannot be read.
func (g *Generator) findVerdict(in Input) (*verdict.Verdict, error) {
	v, err := g.ownVerdict(in)
	if v == nil && err == nil {
		return g.templateVerdict(in)
	}
	return v, err
}

// ownVerdict returns the verdict on a unit by its name, nil if there is none, marked stale where its fingerprint no
// longer matches. A stale one of this machine yields to one that a package brought since and that holds, unless this
// machine has seen something break.
func (g *Generator) ownVerdict(in Input) (*verdict.Verdict, error) {
	v, err := g.check(in, g.Store)
	if v == nil || !v.Stale || v.Result != verdict.Proven || len(v.Demotions) > 0 {
		return v, err
	}
	// One that is damaged is a problem only where it is all there is.
	if shipped, _ := g.check(in, g.Store.Shipped()); shipped != nil && !shipped.Stale {
		return shipped, nil
	}
	return v, nil
}

// check returns the verdict of a store on a unit, as ownVerdict does.
func (g *Generator) check(in Input, store verdict.Store) (*verdict.Verdict, error) {
	v, err := store.Get(in.Unit.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	now, err := g.Fingerprint(in)
	if err != nil {
		return nil, err
	}
	v.StaleReason = v.Fingerprint.Differs(now)
	v.Stale = v.StaleReason != ""
	return &v, nil
}

// templateVerdict returns the verdict on the template of an instance, if it is proven and amounts to the same for the
// instance with the drop-ins of its own.
func (g *Generator) templateVerdict(in Input) (*verdict.Verdict, error) {
	template := in.Unit.Template()
	if template == "" || template == in.Unit.ID {
		return nil, nil
	}
	u, err := g.load(template)
	if err != nil {
		return nil, nil // an instance can have a file of its own and no template
	}
	own := in
	in.Unit = u
	v, err := g.ownVerdict(in)
	if !isProven(v) {
		return nil, err
	}
	own.Demotions = v.Demotions
	if !slices.Equal(NewPlan(own).Applied(), v.Applied) {
		return nil, nil
	}
	return v, nil
}
