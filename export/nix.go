package export

import (
	"fmt"
	"strings"
)

const nixHead = `# A value that the NixOS module of the service sets itself stays as it is. To replace it by what was proven, write
# lib.mkForce in place of lib.mkDefault, and compare the two first: that module may forbid what this one does not.
{ lib, ... }:
{
`

// nix is a NixOS module.
func (h Hardening) nix() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Hardening of %s, found by temper: %s.\n", h.Verdict.Unit, h.scores())
	for _, n := range h.tested() {
		n.write(&b, "# ")
	}
	b.WriteString(nixHead)
	fmt.Fprintf(&b, "  systemd.services.%s.serviceConfig = {\n",
		nixString(strings.TrimSuffix(h.Verdict.Unit, ".service")))
	for _, g := range h.groups {
		h.note(g).write(&b, "    # ")
		fmt.Fprintf(&b, "    %s = lib.mkDefault %s;\n", g.name, g.nixValue())
	}
	if notes := h.notSet(); len(notes) > 0 {
		b.WriteString("    # Not set:\n")
		for _, n := range notes {
			n.write(&b, "    # ")
		}
	}
	b.WriteString("  };\n}\n")
	return b.String()
}

// nixValue is a string or, where there are several assignments, a list: NixOS writes a line for each element.
func (g group) nixValue() string {
	if len(g.values) == 1 {
		return nixString(g.values[0])
	}
	var list strings.Builder
	for _, v := range g.values {
		list.WriteString(nixString(v) + " ")
	}
	return "[ " + list.String() + "]"
}

// nixString quotes a string for Nix, which also finds ${...} in strings.
func nixString(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", `\${`).Replace(s) + `"`
}
