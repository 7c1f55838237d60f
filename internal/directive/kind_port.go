package directive

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// portRule is [FAMILY:][PROTOCOL:][PORT|PORT-PORT] or "any"; see systemd.resource-control(5).
var portRule = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:any|(?:(?:ipv4|ipv6)(?::(?:tcp|udp))?|tcp|udp)|(?:(?:ipv4|ipv6):)?(?:(?:tcp|udp):)?(\d{1,5})(?:-(\d{1,5}))?)$`)
})

func isPortRule(word string) bool {
	m := portRule().FindStringSubmatch(word)
	if m == nil {
		return false
	}
	low, high := 1, 1<<16-1
	if m[1] != "" {
		low, _ = strconv.Atoi(m[1])
		high = low
	}
	if m[2] != "" {
		high, _ = strconv.Atoi(m[2])
	}
	return 1 <= low && low <= high && high < 1<<16
}

// ports returns the rules of assignments, which an empty one resets.
func ports(values []string) []string {
	var rules []string
	for _, v := range values {
		if v == "" {
			rules = nil
		}
		rules = append(rules, strings.Fields(v)...)
	}
	return rules
}

// shutPorts is the kind of SocketBindDeny=: adding to it only restricts.
type shutPorts struct{}

func (shutPorts) check(d *Directive, values []string) error {
	for _, w := range ports(values) {
		if !isPortRule(w) {
			return fmt.Errorf("%s= has %q, want any, or a port or range, after ipv4: or ipv6: and tcp: or udp: where needed", d.Name, w)
		}
	}
	return nil
}

func (shutPorts) rule() string { return "rules are added" }

func (shutPorts) merge(d *Directive, c Context, want []string) Merged {
	have := ports(c.Have(d.Name))
	lines := slices.DeleteFunc(ports(want), func(w string) bool {
		return slices.Contains(have, w) || slices.Contains(have, "any")
	})
	if len(lines) == 0 {
		return Merged{Note: "the unit already denies these"}
	}
	return Merged{Lines: lines, Adds: true}
}

// openPorts is the kind of SocketBindAllow=: exceptions from SocketBindDeny=. Where the unit denies any port itself, no
// exception is added.
type openPorts struct{}

func (openPorts) check(d *Directive, values []string) error { return shutPorts{}.check(d, values) }

func (openPorts) rule() string { return "only where the unit denies no port" }

func (openPorts) merge(d *Directive, c Context, want []string) Merged {
	have := ports(c.Have(d.Name))
	lines := slices.DeleteFunc(ports(want), func(w string) bool { return slices.Contains(have, w) })
	switch {
	case len(lines) == 0:
		return Merged{Note: "the unit already has these"}
	case len(ports(c.Have(d.With))) > 0:
		return Merged{Note: "the unit already allows only its own ports"}
	}
	return Merged{Lines: lines, Adds: true}
}
