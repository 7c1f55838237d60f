package syscalls

import (
	"strings"
	"sync"

	"temper/internal/unit"
	"temper/internal/values"
)

// SinceListedError is the first systemd version that keeps a name denied as "~name:errno" on an allow-list and refuses
// the call with this error, and that ignores a name with an error in a line that allows.
const SinceListedError = 249

// Filter is the result of a sequence of SystemCallFilter= assignments.
type Filter struct {
	Set   bool // something is filtered
	Allow bool // Calls is an allow-list, not a deny-list
	// Calls are the names on the list. On a deny-list the number is the error a call gets: -1 if none is given,
	// values.ErrnoKill if the process is killed. A call on an allow-list with a number that is not negative is
	// refused with that error. The map may be shared with other filters of the same assignments and must not be
	// changed.
	Calls map[string]int
}

// Permits reports whether a call is allowed.
func (f Filter) Permits(call string) bool {
	errno, listed := f.Calls[call]
	if f.Allow {
		return listed && errno < 0
	}
	return !listed
}

// ParseFilter returns the result of a sequence of SystemCallFilter= assignments, as a systemd version reads them with
// the libseccomp that Debian ships with it. See systemd.exec(5).
//
// The first assignment decides between an allow-list, which also has @default, and a deny-list. Names that systemd does
// not know are ignored; an allow-list of only such names is still an allow-list.
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

// filters caches filters: many services have the same one, of hundreds of calls.
var filters filterCache

type filterKey struct {
	Set
	version int
	values  string
}

// filterCache keeps the first maxFilters filters.
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

// word splits "name:errno". Up to 248, systemd accepts an error number on an allow-list, and it has no effect unless it
// is "kill". Since 249, systemd ignores the word.
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

// apply adds a call, or every call of a group, to the list or removes it. A call that is denied with an error number
// stays on an allow-list together with the number.
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
