package interpret

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"temper/internal/directive"
	"temper/internal/syscalls"
	"temper/internal/unit"
)

// keyTable has a row for each key that a service unit may have: its name, whether it takes a boolean, and the systemd
// versions for which this is so. See collect-keys.
//
//go:embed keys.tsv
var keyTable string

// key is one row for one version.
type key struct {
	name    string // "Service.PrivateTmp"
	version int
}

// keys are the rows of keyTable; the value says whether the key takes a boolean.
var keys = sync.OnceValue(func() map[key]bool {
	m := map[key]bool{}
	for line := range strings.Lines(keyTable) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), "\t")
		kind, versions, _ := strings.Cut(rest, "\t")
		for v := range strings.FieldsSeq(versions) {
			n, err := strconv.Atoi(v)
			if err != nil {
				panic("keys.tsv: " + line)
			}
			m[key{name, n}] = kind == "boolean"
		}
	}
	return m
})

// findIgnored records the assignments that systemd ignores: keys that it does not know, and values that it does not
// accept.
func (r *reader) findIgnored() {
	for _, a := range r.read {
		if a.Section != "Unit" && a.Section != "Service" && a.Section != "Install" {
			continue // the loader has reported it
		}
		boolean, ok := r.key(a)
		if !ok {
			r.ignore(a, unknownKey(a, r.Version))
			continue
		}
		if a.Section == "Service" || a.Section == "Unit" {
			r.ignore(a, r.wrong(a, boolean))
		}
	}
}

// key reports whether systemd knows the key of an assignment, and whether it takes a boolean. A version that is not in
// the table is assumed to have the keys of the next newer one that is.
func (r *reader) key(a unit.Assignment) (boolean, ok bool) {
	name, before := a.Section+"."+a.Name, r.Calls.Version()
	boolean, ok = keys()[key{name, before}]
	for _, next := range syscalls.Versions() {
		if before < r.Version && next > r.Version {
			b, later := keys()[key{name, next}]
			return boolean && b, ok || later
		}
	}
	return boolean, ok
}

func (r *reader) ignore(a unit.Assignment, why string) {
	if why != "" {
		r.ignored = append(r.ignored, unit.Problem{Pos: a.Pos, Message: why})
	}
}

// unknownKey is the message for a key that a version does not know, "" for one that systemd ignores without a warning.
func unknownKey(a unit.Assignment, version int) string {
	if strings.HasPrefix(a.Name, "X-") {
		return ""
	}
	for _, v := range syscalls.Versions() {
		if _, later := keys()[key{a.Section + "." + a.Name, v}]; later && v > version {
			return fmt.Sprintf("%s= came after systemd %d, which ignores it", a.Name, version)
		}
	}
	for _, section := range []string{"Service", "Unit", "Install"} {
		if _, other := keys()[key{section + "." + a.Name, syscalls.Of(version).Version()}]; other {
			return fmt.Sprintf("%s= belongs in [%s], not in [%s]: systemd ignores it", a.Name, section, a.Section)
		}
	}
	if near := directive.Suggest(a.Name); near != "" && a.Section == "Service" {
		return fmt.Sprintf("there is no %s=, did you mean %s=? systemd ignores it", a.Name, near)
	}
	return fmt.Sprintf("there is no %s= in [%s]: systemd ignores it", a.Name, a.Section)
}

// wrong is the message for a value that systemd ignores, "" for one that it accepts.
func (r *reader) wrong(a unit.Assignment, boolean bool) string {
	if boolean {
		if _, ok := unit.Bool(a.Value); !ok {
			return fmt.Sprintf("%s=%s is no boolean: systemd ignores it, want yes or no", a.Name, a.Value)
		}
		return ""
	}
	d, ok := directive.Lookup(a.Name)
	if ok && d.Ordered() && a.Section == "Service" && !r.takes(d, a.Value) {
		return fmt.Sprintf(
			"%s=%s is no value of it in systemd %d, which ignores it; want %s",
			a.Name,
			a.Value,
			r.Version,
			r.wants(d),
		)
	}
	if check, ok := partial[a.Section+"."+a.Name]; ok {
		if bad := check(r, a.Value); len(bad) > 0 {
			return fmt.Sprintf("%s= has %s: systemd ignores what it does not know", a.Name, strings.Join(bad, " "))
		}
	}
	return ""
}

// takes reports whether systemd accepts a value of an ordered directive. An empty value is accepted if it resets the
// directive.
func (r *reader) takes(d *directive.Directive, value string) bool {
	if _, ok := d.Value(r.expandArguments(d, []string{value})[0], r.Version); ok {
		return true
	}
	return value == "" && d.Resets(r.Version)
}

// wants lists the values that a directive has in the version.
func (r *reader) wants(d *directive.Directive) string {
	var names []string
	for _, v := range d.Values {
		if v.Since <= r.Version {
			names = append(names, v.Name)
		}
	}
	return strings.Join(names, ", ")
}
