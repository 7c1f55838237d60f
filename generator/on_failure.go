package generator

import (
	"slices"
	"strings"

	"temper/internal/unit"
)

// guardUnit looks at a hardened unit that has failed; see packaging/systemd/temper-guard@.service.
const guardUnit = "temper-guard@.service"

// guardSection follows what was proven. It confines nothing and is no part of a trial. OnFailure= is a list: the unit's
// own stays.
const guardSection = "\n[Unit]\nOnFailure=temper-guard@%N.service\n"

// failureModes are settings of [Unit] that say how a unit's own OnFailure= is started. One that takes the machine to
// another target would take it to the guard instead, or refuse a second unit.
var failureModes = []string{"OnFailureJobMode", "OnFailureIsolate"}

// guarded adds to a drop-in that hardens a unit that the guard is started when the unit fails.
func (g *Generator) guarded(u *unit.Unit, text string) string {
	guard := strings.Replace(guardUnit, "@", "@"+strings.TrimSuffix(u.ID, ".service"), 1)
	ownMode := slices.ContainsFunc(failureModes, func(name string) bool { _, set := u.Last("Unit", name); return set })
	if text == "" || ownMode || !unit.ValidName(guard) || !g.Units.Has(guardUnit) {
		return text
	}
	return text + guardSection
}
