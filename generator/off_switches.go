package generator

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"temper/internal/host"
	"temper/internal/ready"
)

// Switches are the ways to turn the generator off without changing its settings.
type Switches struct {
	Off  string   // why nothing at all is written; "" if the generator is on
	Skip []string // units to leave alone, names or globs
}

// ReadSwitches reads the off switches: temper=0 and temper.skip=UNIT on the kernel command line, and
// [ready.DisabledFile]. If there is an error, everything is off.
func ReadSwitches(root host.Root, cmdline string) (Switches, error) {
	var s Switches
	for _, word := range strings.Fields(cmdline) {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "temper":
			if slices.Contains([]string{"0", "no", "off", "false"}, value) {
				s.Off = word + " on the kernel command line"
			}
		case "temper.skip":
			s.Skip = append(s.Skip, strings.Split(value, ",")...)
		}
	}
	disabled, err := ready.Disabled(root.Dir())
	if err != nil {
		s.Off = "nothing is applied while it cannot be told whether " + ready.DisabledFile + " exists"
		return s, fmt.Errorf("look for the off switch: %w", err)
	}
	if disabled {
		s.Off = ready.DisabledFile + " exists"
	}
	return s, nil
}

// skips reports whether a unit is to be left alone.
func (s Switches) skips(unit string) bool {
	return slices.ContainsFunc(s.Skip, func(pattern string) bool {
		ok, _ := path.Match(pattern, unit)
		return ok || pattern+".service" == unit
	})
}
