// Package needs keeps what services were seen to use on this machine and a sandbox could refuse.
//
// A need is the restriction that would have hurt: the kinds are those of temper/internal/refusal, in which a sandbox
// refuses something. [Record.Add] merges what one observation has seen into what is known of a unit, and [Store] keeps
// it from boot to boot. A need counts only once a person has accepted it, since whoever has taken a service over can
// make it need anything.
package needs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"temper/internal/refusal"
)

// A Need is something that a service used.
type Need struct {
	Kind refusal.Kind `json:"kind"`
	// Subject is what was used, as the kind has it: a path, a capability, a family. A path that ends in a slash stands
	// for everything below it.
	Subject  string    `json:"subject"`
	Program  string    `json:"program"` // the name of the thread that was seen first to use it
	Count    uint64    `json:"count"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Accepted bool      `json:"accepted"` // a person has accepted it
}

// String says what was used: "path-readonly /var/log/x".
func (n Need) String() string { return string(n.Kind) + " " + n.Subject }

// Evidence says how often and when it was used, as the reason of an exception.
func (n Need) Evidence() string {
	times := fmt.Sprintf("%d times", n.Count)
	if n.Count == 1 {
		times = "once"
	}
	return fmt.Sprintf("used on this machine by %q: %s %q, %s, last on %s", n.Program, n.Kind, n.Subject, times,
		n.Last.UTC().Format(time.DateOnly))
}

// A key tells needs apart.
type key struct {
	kind    refusal.Kind
	subject string
}

func (n Need) key() key { return key{n.Kind, n.Subject} }

// anything is the subject of a need of too many names to list them.
const anything = "any"

// Bounds of what a record holds. A service chooses the names of its files and threads.
const (
	maxSubject = 1024
	maxDepth   = 32 // directories in a path
	maxProgram = 16
)

// check returns what is wrong with a need.
func (n Need) check() error {
	switch {
	case !n.Kind.Known():
		return fmt.Errorf("there is no kind %q", n.Kind)
	case n.Subject == "" || len(n.Subject) > maxSubject || !isPlain(n.Subject),
		strings.Count(n.Subject, "/") > maxDepth:
		return fmt.Errorf("the subject %.80q is empty, too long or no plain text", n.Subject)
	case len(n.Program) > maxProgram || !isPlain(n.Program):
		return fmt.Errorf("the program %.80q is too long or no plain text", n.Program)
	case n.Count == 0:
		return fmt.Errorf("%.80q has no count", n.Subject)
	case n.First.IsZero() || n.Last.Before(n.First):
		return fmt.Errorf("%.80q was last seen before it was first seen", n.Subject)
	}
	return nil
}

// isPlain reports whether a text can stand on one line of a unit file and of a terminal.
func isPlain(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// plain replaces what is not plain text in the name of a thread.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
}

// A Record is what is known of one unit.
type Record struct {
	Schema int       `json:"schema"`
	Unit   string    `json:"unit"`
	Since  time.Time `json:"since"` // when it was observed first
	Until  time.Time `json:"until"` // when it was observed last
	Lost   uint64    `json:"lost"`  // uses that were seen and could not be recorded
	Needs  []Need    `json:"needs"` // sorted, each once
}

// Observed reports whether the unit was observed at all.
func (r Record) Observed() bool { return !r.Since.IsZero() }

// Accepted returns the needs that a person has accepted.
func (r Record) Accepted() []Need {
	return slices.DeleteFunc(slices.Clone(r.Needs), func(n Need) bool { return !n.Accepted })
}

// Add merges what was seen up to a moment. Of a use it reads kind, subject, program and count.
func (r *Record) Add(uses []Need, lost uint64, at time.Time) {
	at = at.UTC().Truncate(time.Second)
	if r.Since.IsZero() {
		r.Since = at
	}
	if at.After(r.Until) {
		r.Until = at
	}
	r.Lost += lost
	known := make(map[key]int, len(r.Needs))
	for i, n := range r.Needs {
		known[n.key()] = i
	}
	for _, use := range uses {
		use.Program, use.First, use.Last, use.Accepted = plain(use.Program), at, at, false
		if use.check() != nil {
			r.Lost += max(use.Count, 1)
			continue
		}
		i, found := known[use.key()]
		for k := use.key().moreGeneral(); !found && k.subject != ""; k = k.moreGeneral() {
			i, found = known[k]
		}
		if !found {
			known[use.key()] = len(r.Needs)
			r.Needs = append(r.Needs, use)
			continue
		}
		r.Needs[i].Count += use.Count
		if at.After(r.Needs[i].Last) {
			r.Needs[i].Last = at
		}
	}
	r.fold()
}

// Accept accepts the needs for which the function says so, and returns how many it has accepted.
func (r *Record) Accept(accept func(Need) bool) int {
	n := 0
	for i := range r.Needs {
		if !r.Needs[i].Accepted && accept(r.Needs[i]) {
			r.Needs[i].Accepted = true
			n++
		}
	}
	return n
}

// Numbers of different subjects above which unaccepted needs are folded.
const (
	maxInDirectory = 16   // files of one directory, addresses, user ids
	maxUnaccepted  = 2000 // of all kinds
)

// fold replaces many needs by one of what they have in common. Those that a person has accepted stay as they are: more
// was not accepted. Where there are still too many, the ones that were not seen for the longest time are lost.
func (r *Record) fold() {
	for most := maxInDirectory; ; most /= 4 {
		for r.foldOnce(most) {
		}
		if most <= 1 || r.unaccepted() <= maxUnaccepted {
			break
		}
	}
	r.forgetOldest(r.unaccepted() - maxUnaccepted)
	slices.SortFunc(r.Needs, func(a, b Need) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
	})
}

func (r *Record) unaccepted() int { return len(r.Needs) - len(r.Accepted()) }

// foldOnce folds the needs of which more than a number have the same next more general key, and those that a folded
// need covers. It reports whether there were any.
func (r *Record) foldOnce(most int) bool {
	like := map[key]int{}
	folded := map[key]*Need{}
	for _, n := range r.Needs {
		if n.Accepted {
			continue
		}
		if general := n.key().moreGeneral(); general.subject != "" {
			like[general]++
		}
		if n.key().isGeneral() {
			folded[n.key()] = nil
		}
	}
	for general, n := range like {
		if n > most {
			folded[general] = nil
		}
	}
	before := len(r.Needs)
	var kept []Need
	for _, n := range r.Needs {
		general, covered := n.key().cover(folded)
		switch {
		case n.Accepted || !covered:
			kept = append(kept, n)
		case folded[general] == nil:
			folded[general] = &Need{general.kind, general.subject, n.Program, n.Count, n.First, n.Last, false}
		default:
			folded[general].merge(n)
		}
	}
	for _, n := range folded {
		if n != nil {
			kept = append(kept, *n)
		}
	}
	r.Needs = kept
	return len(r.Needs) < before
}

// isGeneral reports whether a need with this key stands for many.
func (k key) isGeneral() bool { return k.subject == anything || strings.HasSuffix(k.subject, "/") }

// cover returns the most general of the keys that covers a key.
func (k key) cover(folded map[key]*Need) (general key, covered bool) {
	for ; k.subject != ""; k = k.moreGeneral() {
		if _, is := folded[k]; is {
			general, covered = k, true
		}
	}
	return general, covered
}

// merge adds what was seen of another need to one that covers it.
func (n *Need) merge(other Need) {
	if other.First.Before(n.First) {
		n.First, n.Program = other.First, other.Program
	}
	if other.Last.After(n.Last) {
		n.Last = other.Last
	}
	n.Count += other.Count
}

// moreGeneral is the key that stands for a key and the others like it; the zero key if there is none.
func (k key) moreGeneral() key {
	switch k.kind {
	case refusal.PathReadOnly, refusal.PathHidden, refusal.PathNoExec, refusal.ProcHidden, refusal.ProcessHidden,
		refusal.SetuidBit, refusal.Device:
		name := strings.TrimSuffix(k.subject, "/")
		dir := name[:strings.LastIndexByte(name, '/')+1]
		if len(dir) > len("/") && !givesTooMuch(k.kind, dir) {
			return key{k.kind, dir}
		}
	case refusal.Network, refusal.SocketBind, refusal.UserMapping:
		if k.subject != anything {
			return key{k.kind, anything}
		}
	}
	return key{}
}

// forgetOldest removes unaccepted needs, those first that were not seen for the longest time.
func (r *Record) forgetOldest(n int) {
	if n <= 0 {
		return
	}
	slices.SortStableFunc(r.Needs, func(a, b Need) int { return a.Last.Compare(b.Last) })
	r.Needs = slices.DeleteFunc(r.Needs, func(one Need) bool {
		if n == 0 || one.Accepted {
			return false
		}
		n--
		r.Lost += one.Count
		return true
	})
}
