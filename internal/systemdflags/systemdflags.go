// Package systemdflags has the flags of systemd-analyze security: values with systemd's words, and flags that have no
// effect in temper or that temper does not support.
//
// Call [Define], and after parsing [Check].
package systemdflags

import (
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"temper/internal/hint"
	"temper/internal/unit"
)

// Boolean is a flag that takes systemd's words for yes and no.
type Boolean bool

// Set reads one of systemd's words for yes and no.
func (b *Boolean) Set(text string) error {
	on, ok := unit.Bool(text)
	if !ok {
		return errors.New("want yes or no")
	}
	*b = Boolean(on)
	return nil
}

func (b *Boolean) String() string { return map[bool]string{true: "yes", false: "no"}[bool(*b)] }

// Type makes help show the flag as one that takes no value.
func (*Boolean) Type() string { return "bool" }

// JSONMode is the value of --json.
type JSONMode string

// The modes.
const (
	short  JSONMode = "short"
	Pretty JSONMode = "pretty"
	off    JSONMode = "off"
)

// Set reads a mode.
func (m *JSONMode) Set(text string) error {
	*m = JSONMode(text)
	if *m != short && *m != Pretty && *m != off {
		return errors.New("want short, pretty or off")
	}
	return nil
}

func (m *JSONMode) String() string { return string(*m) }

// Type is the type of the value that help shows.
func (*JSONMode) Type() string { return "string" }

// Given reports whether there is a mode.
func (m JSONMode) Given() bool { return m != "" }

// On reports whether rows are printed as JSON.
func (m JSONMode) On() bool { return m == short || m == Pretty }

// unsupported are flags of systemd-analyze security that have no effect here or that temper does not support.
// temper(1) lists them, help does not.
var unsupported = []struct {
	name, shorthand string
	takes           bool   // takes a value
	offline         bool   // systemd-analyze ignores it with --offline
	why             string // why temper does not support it; "" if it has no effect
	instead         string
}{
	{name: "system"},
	{name: "no-pager"},
	{name: "no-legend"},
	{name: "global", why: "units of all users have no exposure of their own", instead: "temper analyze --user UNIT"},
	{
		name: "image", takes: true, why: "temper mounts no disk images",
		instead: "systemd-dissect --mount IMAGE DIR, then temper analyze --root DIR",
	},
	{
		name: "machine", shorthand: "M", takes: true, offline: true,
		why:     "temper asks the manager of this machine only",
		instead: "run temper there, or temper analyze --root with the directory of the container",
	},
	{
		name: "host", shorthand: "H", takes: true, offline: true, why: "temper asks the manager of this machine only",
		instead: "ssh HOST temper analyze",
	},
}

// Define adds these flags, hidden from help.
func Define(flags *pflag.FlagSet) {
	for _, f := range unsupported {
		if f.takes {
			flags.StringP(f.name, f.shorthand, "", "")
		} else {
			flags.BoolP(f.name, f.shorthand, false, "")
		}
		flags.Lookup(f.name).Hidden = true
	}
}

// Check returns an error for a flag that temper does not support. offline says that no manager is asked.
func Check(flags *pflag.FlagSet, offline bool) error {
	for _, f := range unsupported {
		if f.why != "" && flags.Changed(f.name) && !(f.offline && offline) {
			return hint.With(fmt.Errorf("--%s: %s", f.name, f.why), f.instead)
		}
	}
	return nil
}
