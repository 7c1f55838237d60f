package syscalls

import (
	"strings"
	"sync"

	"temper/internal/unit"
	"temper/internal/values"
)

// SinceListedError is the first systemd that keeps a name denied as "~name:errno" on an allow-list, refused with the
// error, and that ignores a name with an error in a line that allows.
const SinceListedError = 249

// Filter is what a sequence of SystemCallFilter= assignments amounts to.
type Filter struct {
	Set   bool // something is filtered
	Allow bool // Calls are the only ones allowed, rather than those that are denied
	// Calls are the names on the list. On a deny-list the number is the error a call gets: -1 if none is given,
	// values.ErrnoKill if the process is killed. A call on an allow-list with a number that is not negative is
	// refused with that error. The map may be shared with other filters of the same assignments and must not be
	// changed.
	Calls map[string]int
}

// Permits reports whether a call is let through.
func (f Filter) Permits(call string) bool {
	errno, listed := f.Calls[call]
	if f.Allow {
		return listed && errno < 0
	}
	return !listed
}

// ParseFilter returns what a sequence of SystemCallFilter= assignments amounts to, as a systemd version reads
// them with the libseccomp that Debian has beside it. See systemd.exec(5).
//
// The first assignment decides between an allow-list, on which @default is as well, and a deny-list. Names that systemd
// does not know are ignored; an allow-list of only such names is still an allow-list.
func ParseFilter(values []string, version int) Filter {
	return Of(version).ParseFilter(values, version)
}

// ParseFilter is [ParseFilter] with the calls and groups of s.
func (s Set) ParseFilter(values []string, version int) Filter {
	if len(values) == 0 {
		return Filter{}
	}
	key := filterKey{s, version, strings.Join(values, "\x00")}
	if f, ok := filters.get(key); ok {
		return f
	}
	p := syscallFilterParser{syscalls: s, version: version}
	for _, value := range values {
		p.assign(value)
	}
	f := Filter{Set: p.allow || len(p.calls) > 0, Allow: p.allow, Calls: p.calls}
	filters.put(key, f)
	return f
}

// filters remembers filters: many services have the same, of hundreds of calls.
var filters filterCache

type filterKey struct {
	Set
	version int
	values  string
}

// filterCache keeps up to maxFilters filters; the first ones stay.
type filterCache struct {
	mu    sync.RWMutex
	found map[filterKey]Filter
}

const maxFilters = 128

func (c *filterCache) get(key filterKey) (Filter, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	f, ok := c.found[key]
	return f, ok
}

func (c *filterCache) put(key filterKey, f Filter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		c.found = map[filterKey]Filter{}
	}
	if len(c.found) < maxFilters {
		c.found[key] = f
	}
}

type syscallFilterParser struct {
	syscalls Set
	version  int
	allow    bool
	calls    map[string]int // nil until an assignment decided the kind of list
}

func (f *syscallFilterParser) assign(value string) {
	if value == "" {
		f.allow, f.calls = false, nil
		return
	}
	list, inverted := strings.CutPrefix(value, "~")
	if f.calls == nil {
		f.calls = map[string]int{}
		f.allow = !inverted
		if f.allow {
			f.apply("@default", -1, false)
		}
	}
	words, _ := unit.SplitWords(list, 0)
	for _, word := range words {
		name, errno, ok := f.word(word, inverted)
		if ok {
			f.apply(name, errno, inverted)
		}
	}
}

// word splits "name:errno". Up to 248 an error number on an allow-list was taken and, unless it is "kill", had no
// effect; afterwards the word is ignored.
func (f *syscallFilterParser) word(word string, inverted bool) (name string, errno int, ok bool) {
	name, number, found := strings.Cut(word, ":")
	if !found {
		return name, -1, name != ""
	}
	errno, ok = parseErrnoOrKill(number)
	if !ok || name == "" {
		return "", 0, false
	}
	if inverted {
		return name, errno, true
	}
	if f.version >= SinceListedError {
		return "", 0, false
	}
	if errno != values.ErrnoKill {
		errno = -1
	}
	return name, errno, true
}

// apply puts a call, or every call of a group, on the list or takes it off. A call that is denied with an error number
// stays on an allow-list, marked with the number.
func (f *syscallFilterParser) apply(name string, errno int, inverted bool) {
	calls := []string{name}
	if strings.HasPrefix(name, "@") {
		calls, _ = f.syscalls.group(name)
	} else if !f.syscalls.Known(name) {
		return
	}
	marked := inverted && f.allow && errno >= 0 && f.version >= SinceListedError
	for _, call := range calls {
		if inverted != f.allow || marked {
			f.calls[call] = errno
		} else {
			delete(f.calls, call)
		}
	}
}

func parseErrnoOrKill(s string) (int, bool) {
	if s == "kill" {
		return values.ErrnoKill, true
	}
	return values.ParseErrno(s)
}
