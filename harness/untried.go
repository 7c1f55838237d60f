package harness

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"temper/harness/place"
	"temper/harness/proc"
	"temper/harness/witness"
	"temper/internal/directive"
	"temper/internal/unit"
	"temper/internal/verdict"
	"temper/profiles"
)

// untried lists what the service asked for without hardening and did not get because no service of a container gets it, where the
// machine may give it and a directive that is applied would not: devices, and what takes a capability that a container lacks. What
// such a directive breaks there was not seen.
func untried(where *place.Place, baselines []Trial, ls []*lever, version int) []verdict.Evidence {
	bits, err := strconv.ParseUint(proc.Machine.Process(where.Leader()).Status()["CapBnd"], 16, 64)
	if err != nil || where.Kind() == "host" {
		return nil
	}
	var list []verdict.Evidence
	for _, b := range baselines {
		for _, d := range b.Refused.Denials {
			var by []string
			for _, r := range withheld(where, d, directive.CapSet(bits)) {
				for _, l := range suspects(r, ls, version) {
					by = append(by, l.directive.Name+"=")
				}
			}
			slices.Sort(by)
			text := fmt.Sprintf("%s without hardening too, as in every container; what comes of %s where it is granted was not seen",
				d, strings.Join(slices.Compact(by), " and "))
			if e := (verdict.Evidence{Kind: "unseen", Text: text}); by != nil && !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// withheld lists what a container may have refused and the machine would not.
func withheld(where *place.Place, d witness.Denial, held directive.CapSet) []witness.Restriction {
	var list []witness.Restriction
	for _, r := range d.Restrictions() {
		_, here := os.Lstat(r.Subject)
		if _, there := where.Root().Lstat(r.Subject); r.Kind == witness.Device && here == nil && there != nil {
			list = append(list, r)
		}
	}
	for _, name := range d.Capabilities() {
		if c, ok := directive.ParseCapability(name); ok && !held.Has(c) {
			list = append(list, witness.Restriction{Kind: witness.Capability, Subject: name}, witness.Restriction{Kind: witness.Syscall, Subject: d.Syscall})
		}
	}
	return list
}

// unreloaded says that the service can be reloaded and was not: it is tried where the profile asks for it.
func unreloaded(u *unit.Unit, p *profiles.Profile) []verdict.Evidence {
	command, _ := u.Last("Service", "ExecReload")
	kind, _ := u.Last("Service", "Type")
	if p.Prove.Reload || command.Value == "" && kind.Value != "notify-reload" {
		return nil
	}
	return []verdict.Evidence{{Kind: "unseen", Text: "that it survives a reload was not tried: the profile does not say reload = true"}}
}
