// Package tomlpos finds the lines of the keys of a TOML document. The TOML library decodes the values but does not
// return their positions.
package tomlpos

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Position is the position of a key or an array element in a document: its line, and how many keys and elements stand
// before it.
type Position struct{ Line, Order int }

// Positions maps the path of each key and array element, such as "check[1].http.url", to its position. See [Child] and
// [Element] for paths.
type Positions map[string]Position

// Of returns the position of a path, or of the nearest enclosing one that is known.
func (p Positions) Of(path string) Position {
	for path != "" {
		if at, ok := p[path]; ok {
			return at
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return Position{Line: 1}
}

// OfKey returns the position of a key as the TOML library names it: with the names of its tables, but without the
// numbers of array elements. If several elements have the key, it returns the first.
func (p Positions) OfKey(key ...string) Position {
	want, found := strings.Join(key, "."), Position{}
	for path, at := range p {
		if index().ReplaceAllString(path, "") == want && (found.Line == 0 || at.Order < found.Order) {
			found = at
		}
	}
	if found.Line == 0 {
		return p.Of(want)
	}
	return found
}

var index = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\[\d+\]`) })

// Locate finds every key of a document that is valid TOML. It knows only as much of the grammar as it needs to find
// where keys and values begin and end. On invalid TOML it returns what it has found so far.
//
// It stops at the first key or value that is nested deeper than [MaxDepth] and returns its line in deep, which is else
// 0. Call it before the TOML library, which takes minutes and gigabytes for a key of 30,000 parts.
func Locate(doc string) (found Positions, deep int) {
	s := scanner{doc: doc, line: 1, found: Positions{}, tables: map[string]int{}}
	s.document()
	return s.found, s.deep
}

// MaxDepth is how deep keys and values may nest; a profile needs five.
const MaxDepth = 16

type scanner struct {
	doc    string
	pos    int
	line   int
	depth  int
	deep   int // line of the first key or value that is nested too deep, or 0
	found  Positions
	tables map[string]int // path of an array of tables -> how many there are so far
}

func (s *scanner) document() {
	prefix, within := "", 0
	for s.blank(); s.pos < len(s.doc); s.blank() {
		before := s.pos
		switch s.depth = within; {
		case s.take("[["):
			s.depth = 0
			path := s.header()
			s.tables[path]++
			prefix = Element(path, s.tables[path]-1)
			s.note(prefix)
			s.take("]]")
			within = s.depth
		case s.take("["):
			s.depth = 0
			prefix = s.header()
			s.take("]")
			within = s.depth
		default:
			s.assignment(prefix)
		}
		if s.pos == before { // not TOML
			return
		}
	}
}

// header reads the key of a table header. A part that names an array of tables means the last element so far.
func (s *scanner) header() string {
	path := ""
	for {
		if n := s.tables[path]; n > 0 {
			path = Element(path, n-1)
		}
		path = Child(path, s.key())
		s.note(path)
		if s.space(); !s.take(".") {
			return path
		}
	}
}

// assignment reads key = value, where the key may be dotted.
func (s *scanner) assignment(prefix string) {
	path := Child(prefix, s.key())
	s.note(path)
	for s.space(); s.take("."); s.space() {
		path = Child(path, s.key())
		s.note(path)
	}
	if s.take("=") {
		s.space()
		s.value(path)
	}
}

// enter goes one level deeper. If that is too deep, it moves to the end of the document, where all readers stop.
func (s *scanner) enter() {
	if s.depth++; s.depth > MaxDepth && s.deep == 0 {
		s.deep, s.pos = s.line, len(s.doc)
	}
}

// key reads one part of a key, bare or quoted, and returns its name.
func (s *scanner) key() string {
	s.enter()
	s.space()
	start := s.pos
	if s.pos < len(s.doc) && (s.doc[s.pos] == '"' || s.doc[s.pos] == '\'') {
		s.text()
		raw := s.doc[start:s.pos]
		if name, err := strconv.Unquote(raw); err == nil && raw[0] == '"' {
			return name
		}
		return strings.Trim(raw, `"'`)
	}
	s.until(".=] \t\r\n")
	return s.doc[start:s.pos]
}

func (s *scanner) value(path string) {
	s.enter()
	if s.pos >= len(s.doc) {
		return
	}
	switch s.doc[s.pos] {
	case '"', '\'':
		s.text()
	case '[':
		s.pos++
		s.list(']', func(i int) { s.note(Element(path, i)); s.value(Element(path, i)) })
	case '{':
		s.pos++
		s.list('}', func(int) { s.assignment(path) })
	default:
		s.until(",]}#\r\n")
	}
}

// list reads elements separated by commas until the closing bracket.
func (s *scanner) list(closing byte, read func(i int)) {
	for i := 0; ; i++ {
		s.blank()
		before := s.pos
		if s.take(string(closing)) {
			return
		}
		depth := s.depth
		read(i)
		s.depth = depth
		s.blank()
		s.take(",")
		if s.pos == before { // not TOML
			return
		}
	}
}

// text reads a quoted string of any of the four kinds.
func (s *scanner) text() {
	quote := s.doc[s.pos : s.pos+1]
	long := strings.Repeat(quote, 3)
	if s.take(long) {
		s.quoted(long)
		for range 2 { // up to two quotes may stand before the three that close
			s.take(quote)
		}
		return
	}
	s.pos++
	s.quoted(quote)
}

func (s *scanner) quoted(end string) {
	for s.pos < len(s.doc) && !s.take(end) {
		switch c := s.doc[s.pos]; {
		case c == '\\' && end[0] == '"':
			s.pos++ // what is escaped is skipped below, unless it is a line end
			if s.pos < len(s.doc) && s.doc[s.pos] != '\n' {
				s.pos++
			}
		default:
			s.step()
		}
	}
}

// take skips a token if it is next.
func (s *scanner) take(token string) bool {
	if !strings.HasPrefix(s.doc[min(s.pos, len(s.doc)):], token) {
		return false
	}
	s.pos += len(token)
	return true
}

func (s *scanner) space() {
	for s.pos < len(s.doc) && (s.doc[s.pos] == ' ' || s.doc[s.pos] == '\t') {
		s.pos++
	}
}

// blank skips white space, line ends and comments.
func (s *scanner) blank() {
	for s.pos < len(s.doc) {
		switch s.doc[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.step()
		case '#':
			s.until("\n")
		default:
			return
		}
	}
}

func (s *scanner) until(stop string) {
	n := strings.IndexAny(s.doc[s.pos:], stop)
	if n < 0 {
		n = len(s.doc) - s.pos
	}
	s.pos += n
}

func (s *scanner) step() {
	if s.doc[s.pos] == '\n' {
		s.line++
	}
	s.pos++
}

func (s *scanner) note(path string) {
	if _, ok := s.found[path]; !ok {
		s.found[path] = Position{s.line, len(s.found)}
	}
}

// Child is the path of a key in the table at a path, "" for the document.
func Child(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// Element is the path of an element of the array at a path.
func Element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
