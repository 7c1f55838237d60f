package directive

import (
	"strings"

	"temper/internal/unit"
)

// spelling is how the values of an ordered directive are written beyond what the table lists.
type spelling struct {
	directive string
	alias     string // another word for "yes"
	since     int    // first version with the alias, or with the argument
	arg       bool   // ":HOSTNAME" may follow
	other     string // what any other list of words amounts to; "" = it is ignored
	reset     int    // first version in which an empty assignment takes back what was set; 0 = it is ignored
	tristate  int    // first version in which unset is a value of its own, which an empty assignment brings back
}

var spellings = []spelling{
	{directive: "Delegate", other: "yes"}, // a list of controllers, of which even a wrong one turns it on
	{directive: "PrivateMounts", tristate: 254},
	{directive: "PrivateTmp", alias: "connected", since: 257},
	{directive: "PrivateUsers", alias: "self", since: 257},
	{directive: "ProtectHostname", arg: true, since: 258, reset: 258},
}

func (d *Directive) spelling() spelling {
	for _, s := range spellings {
		if s.directive == d.Name {
			return s
		}
	}
	return spelling{}
}

// Value returns the row of one value of an ordered directive, as a systemd version reads it: booleans in all their
// spellings. ok is false if systemd ignores the assignment, with a warning.
func (d *Directive) Value(text string, version int) (v Value, ok bool) {
	how := d.spelling()
	name := text
	if host := ""; how.arg && version >= how.since {
		found := false
		if name, host, found = strings.Cut(text, ":"); found && !isHostname(host) {
			return Value{}, false
		}
	}
	if on, ok := unit.Bool(name); ok {
		if !on && name != text {
			return Value{}, false // off, and yet an argument
		}
		name = map[bool]string{true: "yes", false: "no"}[on]
	} else if name == how.alias && name != "" && version >= how.since {
		name = "yes"
	} else if _, err := unit.Words(text); how.other != "" && err == nil {
		name = how.other
	}
	for _, v := range d.Values {
		if v.Name == name && v.Since <= version {
			return v, true
		}
	}
	return Value{}, false
}

// Resets reports whether an empty assignment of an ordered directive takes back what was set, rather than being ignored.
func (d *Directive) Resets(version int) bool {
	reset := d.spelling().reset
	return reset > 0 && version >= reset || d.Tristate(version)
}

// Tristate reports whether systemd tells an ordered directive that nothing sets from one that is off.
func (d *Directive) Tristate(version int) bool {
	since := d.spelling().tristate
	return since > 0 && version >= since
}

// TakesArgument reports whether ":" and an argument, in which specifiers count, may follow a value of an ordered directive.
func (d *Directive) TakesArgument() bool { return d.spelling().arg }

// isHostname reports whether systemd takes a name for a host: see hostname(7).
func isHostname(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, hostLetters) != "" {
			return false
		}
	}
	return len(name) <= 64
}

const hostLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

// Read returns the value that a sequence of assignments of an ordered directive amounts to, as a systemd version reads
// them: the last that is valid. set is false if none is, or if an empty one took it back; the value is then the default.
func (d *Directive) Read(values []string, version int) (v Value, set bool) {
	def := d.Values[0]
	if d.Default != "" {
		def, _ = d.Value(d.Default, version)
	}
	v = def
	for _, text := range values {
		if w, ok := d.Value(text, version); ok {
			v, set = w, true
		} else if text == "" && d.Resets(version) {
			v, set = def, false
		}
	}
	return v, set
}
