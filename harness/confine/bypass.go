package confine

import (
	"slices"
	"strconv"
	"strings"

	"temper/generator"
	"temper/internal/values"
)

// bypass says why a directive, though it is in force, does not bind the process; empty if it does.
func (t traces) bypass(item generator.Item) (why string) {
	for _, b := range item.Directive.BypassesOf(item.Lines, t.Version) {
		if t.hasCapability(b.Capability) && (!b.RootGroup || t.inRootGroup()) && t.mayCall(b.Calls) {
			return b.Why
		}
	}
	return ""
}

// hasCapability reports whether the process has a capability that counts outside of itself: in a user namespace of its
// own it has none.
func (t traces) hasCapability(name string) bool {
	if name == "" {
		return true
	}
	bits, err := strconv.ParseUint(t.process.status["CapPrm"], 16, 64)
	return err == nil && values.CapSet(bits).Has(values.CapabilitySet(name)) &&
		t.process.SameNamespace(t.leader.Process, "user")
}

// inRootGroup reports whether group 0 of the place, which is that of PID 1, is a group of the process.
func (t traces) inRootGroup() bool {
	root := strings.Fields(t.leader.status["Gid"])
	own := slices.Concat(strings.Fields(t.process.status["Gid"]), strings.Fields(t.process.status["Groups"]))
	return len(root) > 0 && slices.Contains(own, root[0])
}

// mayCall reports whether the filter of the unit, as systemd tells it, lets one of several system calls through.
func (t traces) mayCall(calls []string) bool {
	property, _ := t.Property("SystemCallFilter").([]any)
	if len(calls) == 0 || len(property) != 2 {
		return true
	}
	isAllowList, _ := property[0].(bool)
	names, _ := property[1].([]string)
	return slices.ContainsFunc(calls, func(call string) bool { return slices.Contains(names, call) == isAllowList })
}
