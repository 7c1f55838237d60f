package blame

import (
	"fmt"
	"slices"
	"strings"

	"temper/harness/witness"
	"temper/internal/refusal"
	"temper/internal/values"
	"temper/internal/verdict"
)

// A Container says what a container grants no service, although the machine may.
type Container struct {
	Capabilities values.CapSet            // the capabilities that its services can have
	Lacks        func(device string) bool // whether the machine has a device and the container does not
	// Downgrades reports whether the container refuses its root a call in spite of the capability for it, and programs
	// work without the call; nil: no call.
	Downgrades func(capability, call string) bool
}

// NotGranted lists what was refused to the service without hardening because the container grants it to no service, and
// what a directive of the plan would refuse as well: devices, and calls that need a capability that the container
// lacks. Such a directive may break the service on the machine, and no trial could show it.
func (s Service) NotGranted(c Container, baselines []witness.Record, plan []Applied) []verdict.Evidence {
	var list []verdict.Evidence
	for _, record := range baselines {
		for _, d := range record.Denials {
			var by []string
			for _, r := range c.withheld(d) {
				for _, a := range s.suspects(r, plan) {
					by = append(by, a.Directive.Name+"=")
				}
			}
			slices.Sort(by)
			text := fmt.Sprintf(
				"%s without hardening too, as in every container; what comes of %s where it is granted was not seen",
				d,
				strings.Join(slices.Compact(by), " and "),
			)
			if e := (verdict.Evidence{Kind: "unseen", Text: text}); by != nil && !slices.Contains(list, e) {
				list = append(list, e)
			}
		}
	}
	return list
}

// withheld lists the restrictions by which the container may have caused a denial, and the machine would not.
func (c Container) withheld(d witness.Denial) []witness.Restriction {
	var list []witness.Restriction
	for _, r := range d.Restrictions() {
		if r.Kind == refusal.Device && c.Lacks(r.Subject) {
			list = append(list, r)
		}
	}
	names := d.Capabilities()
	if len(names) == 0 { // the kernel asked for none: the system call filter of the container may have refused
		names = d.SuspectedCapabilities()
	}
	for _, name := range names {
		needed, ok := values.ParseCapability(name)
		downgraded := d.Root && c.Downgrades != nil && c.Downgrades(name, d.Syscall)
		if ok && (!c.Capabilities.Has(needed) || downgraded) {
			list = append(list,
				witness.Restriction{Kind: refusal.Capability, Subject: name},
				witness.Restriction{Kind: refusal.Syscall, Subject: d.Syscall},
			)
		}
	}
	return list
}
