package generator

import (
	"slices"
	"strings"

	"temper/internal/unit"
)

// guardUnit is the unit that is started when a hardened unit has failed; see packaging/systemd/temper-guard@.service.
const guardUnit = "temper-guard@.service"

// guardSection is added after the proven text. It restricts nothing and is not part of a trial. OnFailure= is a list,
// so the unit's own entries stay.
const guardSection = "\n[Unit]\nOnFailure=temper-guard@%N.service\n"

// failureModes are directives of [Unit] that say how the units of OnFailure= are started. If a unit uses them to switch
// the machine to another target, systemd would switch to the guard instead, or refuse a second unit.
var failureModes = []string{"OnFailureJobMode", "OnFailureIsolate"}

// guarded adds to a drop-in that the guard is started when the unit fails.
func (g *Generator) guarded(u *unit.Unit, text string) string {
	guard := strings.Replace(guardUnit, "@", "@"+strings.TrimSuffix(u.ID, ".service"), 1)
	ownMode := slices.ContainsFunc(failureModes, func(name string) bool { _, set := u.Last("Unit", name); return set })
	if text == "" || ownMode || !unit.ValidName(guard) || !g.Units.Has(guardUnit) {
		return text
	}
	return text + guardSection
}

// WithoutGuard returns a drop-in as it was proven, without what is added for the guard.
func WithoutGuard(text string) string { return strings.TrimSuffix(text, guardSection) }
