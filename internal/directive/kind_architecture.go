package directive

import (
	"fmt"
	"slices"
	"strings"
)

// architectureNames are the names that SystemCallArchitectures= takes, each with the first systemd version that does; 0 is
// 247 or older. systemd#23181 added parisc, between 250 and 251. loongarch64 is in 257 and not in 252.
var architectureNames = []struct {
	name  string
	since int
}{
	{name: "native"},
	{name: "x86-64"},
	{name: "x86"},
	{name: "x32"},
	{name: "arm"},
	{name: "arm64"},
	{name: "loongarch64", since: 257},
	{name: "mips"},
	{name: "mips64"},
	{name: "mips64-n32"},
	{name: "mips-le"},
	{name: "mips64-le"},
	{name: "mips64-le-n32"},
	{name: "parisc", since: 251},
	{name: "parisc64", since: 251},
	{name: "ppc"},
	{name: "ppc64"},
	{name: "ppc64-le"},
	{name: "riscv64"},
	{name: "s390"},
	{name: "s390x"},
}

// ArchitectureNames returns the names that SystemCallArchitectures= takes.
func ArchitectureNames() []string {
	names := make([]string, len(architectureNames))
	for i, a := range architectureNames {
		names[i] = a.name
	}
	return names
}

// KnownArchitecture reports whether a systemd version takes a word for an architecture.
func KnownArchitecture(word string, version int) bool {
	for _, a := range architectureNames {
		if a.name == word {
			return a.since <= version
		}
	}
	return false
}

// architectures is the kind of SystemCallArchitectures=: what is not listed cannot be called.
type architectures struct{}

func (architectures) check(d *Directive, values []string) error {
	return checkWords(d, values, func(w string) bool { return KnownArchitecture(w, newest) }, ArchitectureNames())
}

// parse returns the names that a systemd version knows, and those that it does not.
func (architectures) parse(values []string, version int) (names, unknown []string) {
	for _, v := range values {
		if v == "" {
			names = nil
		}
		for _, w := range strings.Fields(v) {
			switch {
			case slices.Contains(names, w):
			case KnownArchitecture(w, version):
				names = append(names, w)
			default:
				unknown = append(unknown, w)
			}
		}
	}
	return names, unknown
}

func (architectures) rule() string { return "what both allow, as a whole list after a reset" }

func (k architectures) merge(d *Directive, c Context, want []string) Merged {
	have, _ := k.parse(c.Have(d.Name), c.Version)
	wanted, unknown := k.parse(want, c.Version)
	note := doesNotKnow(c.Version, unknown)
	if len(wanted) == 0 { // an empty list would allow all
		return Merged{Note: note}
	}
	if len(have) == 0 {
		return Merged{Lines: list(false, wanted), Note: note}
	}
	both := slices.DeleteFunc(slices.Clone(have), func(n string) bool { return !slices.Contains(wanted, n) })
	switch len(both) {
	case len(have):
		return Merged{Note: "the unit already allows no other architecture"}
	case 0: // "native" and its name are not compared
		return Merged{Note: fmt.Sprintf("the unit allows %s", strings.Join(have, " "))}
	}
	return Merged{Lines: list(true, both), Note: note}
}
