package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"temper/internal/hint"
	"temper/internal/unit"
)

// boolean is a flag that takes systemd's words for yes and no.
type boolean bool

// Set reads one of systemd's words for yes and no.
func (b *boolean) Set(text string) error {
	on, ok := unit.Bool(text)
	if !ok {
		return errors.New("want yes or no")
	}
	*b = boolean(on)
	return nil
}

func (b *boolean) String() string { return map[bool]string{true: "yes", false: "no"}[bool(*b)] }

// Type makes help show the flag as one that takes no value.
func (*boolean) Type() string { return "bool" }

// jsonMode is the value of --json.
type jsonMode string

const (
	short  jsonMode = "short"
	pretty jsonMode = "pretty"
	off    jsonMode = "off"
)

// Set reads a mode.
func (m *jsonMode) Set(text string) error {
	*m = jsonMode(text)
	if *m != short && *m != pretty && *m != off {
		return errors.New("want short, pretty or off")
	}
	return nil
}

func (m *jsonMode) String() string { return string(*m) }

// Type is the type of the value that help shows.
func (*jsonMode) Type() string { return "string" }

func (m jsonMode) set() bool { return m != "" }

// on reports whether rows are printed as JSON.
func (m jsonMode) on() bool { return m == short || m == pretty }

// systemdFlags are flags of systemd-analyze security that have no effect here or that temper does not support.
// temper(1) lists them, help does not.
var systemdFlags = []struct {
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

// defineSystemdFlags adds the systemdFlags, hidden from help.
func defineSystemdFlags(flags *pflag.FlagSet) {
	for _, f := range systemdFlags {
		if f.takes {
			flags.StringP(f.name, f.shorthand, "", "")
		} else {
			flags.BoolP(f.name, f.shorthand, false, "")
		}
		flags.Lookup(f.name).Hidden = true
	}
}

// checkSystemdFlags returns an error for a flag that temper does not support.
func (f *analyzeFlags) checkSystemdFlags(c *cobra.Command) error {
	for _, s := range systemdFlags {
		if s.why != "" && c.Flag(s.name).Changed && !(s.offline && bool(f.offline)) {
			return usageError{hint.With(fmt.Errorf("--%s: %s", s.name, s.why), s.instead)}
		}
	}
	return nil
}
