package unit

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	maxLine = 1 << 20 // LONG_LINE_MAX of systemd: a line must be shorter, joined lines may be as long
	blanks  = " \t\n\r"
	bom     = "\uFEFF"
)

// Parse reads one unit file or drop-in as systemd 247 to 262 does. What systemd ignores with a warning is a problem.
// The error is a [Problem] if systemd stops reading there: it then does not load a fragment, but keeps the assignments
// of a drop-in above that line, which are returned with the error. Any other error comes from r.
func Parse(path string, r io.Reader) ([]Assignment, []Problem, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return parse(path, string(data))
}

// parser is the state between two lines.
type parser struct {
	path        string
	section     string
	inSection   bool
	assignments []Assignment
	problems    []Problem
}

func parse(path, text string) ([]Assignment, []Problem, error) {
	p := parser{path: path}
	err := p.file(text)
	return p.assignments, p.problems, err
}

// file joins physical lines to logical ones. A comment line inside a continuation is left out and the continuation
// goes on after it; an empty line ends it.
func (p *parser) file(text string) error {
	var (
		joined    strings.Builder
		first     int // line on which the continuation began, 0 outside of one
		bomSeen   bool
		line, raw = 0, ""
	)
	for text != "" {
		line++
		raw, text = cutLine(text)
		if len(raw) >= maxLine {
			return p.fatal(
				line,
				"the line has %d bytes, want less than %d: the rest of the file is not read",
				len(raw),
				maxLine,
			)
		}
		if isComment(raw) {
			continue
		}
		if rest, ok := strings.CutPrefix(raw, bom); ok && !bomSeen {
			raw, bomSeen = rest, true
		}
		if joined.Len()+len(raw) > maxLine {
			return p.fatal(line, "the joined line has more than %d bytes: the rest of the file is not read", maxLine)
		}
		if first == 0 {
			first = line
		}
		if continues(raw) {
			joined.WriteString(raw[:len(raw)-1])
			joined.WriteByte(' ')
			continue
		}
		if joined.Len() > 0 {
			joined.WriteString(raw)
			raw = joined.String()
			joined.Reset()
		}
		if err := p.line(first, raw); err != nil {
			return err
		}
		first = 0
	}
	if joined.Len() > 0 {
		return p.line(first, joined.String())
	}
	return nil
}

// line parses one logical line.
func (p *parser) line(n int, text string) error {
	text = strings.Trim(text, blanks)
	switch {
	case text == "":
		return nil
	case !validText(text):
		return p.fatal(n, "invalid UTF-8, want UTF-8: the rest of the file is not read")
	case text[0] == '[':
		return p.header(n, text)
	case !p.inSection:
		p.problem(n, "%s stands outside of a section, want a line such as [Service] above it", quote(text))
		return nil
	}
	name, value, ok := strings.Cut(text, "=")
	switch {
	case strings.HasPrefix(text, ".include "):
		p.problem(n, ".include is no longer read, want a drop-in")
	case !ok:
		p.problem(n, "no \"=\" in %s, want Name=value", quote(text))
	case name == "":
		p.problem(n, "no name before the \"=\" in %s, want Name=value", quote(text))
	default:
		p.assignments = append(p.assignments, Assignment{
			p.section, strings.TrimRight(name, blanks), strings.TrimLeft(value, blanks), Position{p.path, n},
		})
	}
	return nil
}

// header parses a section header. A malformed one ends the reading of the file.
func (p *parser) header(n int, text string) error {
	if text[len(text)-1] != ']' {
		return p.fatal(n, "section header %s has no \"]\", want [Name]: the rest of the file is not read", quote(text))
	}
	section := text[1 : len(text)-1]
	if strings.ContainsFunc(section, unsafe) {
		return p.fatal(
			n,
			"section header %s has quotes or control characters, want [Name]: the rest of the file is not read",
			quote(text),
		)
	}
	p.section, p.inSection = section, true
	return nil
}

func (p *parser) problem(line int, format string, args ...any) {
	p.problems = append(p.problems, Problem{Pos: Position{p.path, line}, Message: fmt.Sprintf(format, args...)})
}

func (p *parser) fatal(line int, format string, args ...any) error {
	return Problem{Pos: Position{p.path, line}, Message: fmt.Sprintf(format, args...)}
}

// cutLine splits off the first physical line. For systemd, each of \n, \r and NUL ends a line; several different
// ones in sequence end it only once, and a NUL is the last of such a sequence.
func cutLine(text string) (line, rest string) {
	end := strings.IndexAny(text, "\n\r\x00")
	if end < 0 {
		return text, ""
	}
	line, rest = text[:end], text[end:]
	seen := ""
	for rest != "" && isEOL(rest[0]) && strings.IndexByte(seen, rest[0]) < 0 && !strings.HasSuffix(seen, "\x00") {
		seen += rest[:1]
		rest = rest[1:]
	}
	return line, rest
}

func isEOL(c byte) bool { return c == '\n' || c == '\r' || c == 0 }

// isComment reports whether a physical line is a comment, also inside a continuation.
func isComment(line string) bool {
	line = strings.TrimLeft(line, blanks)
	return line != "" && (line[0] == '#' || line[0] == ';')
}

// continues reports whether a line ends in a backslash that is not escaped by another.
func continues(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// validText reports whether systemd accepts s as UTF-8: it also refuses code points that are not characters.
func validText(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && !strings.ContainsFunc(s[i:], noncharacter)
		}
	}
	return true
}

func noncharacter(r rune) bool { return r&0xFFFE == 0xFFFE || r >= 0xFDD0 && r <= 0xFDEF }

func unsafe(r rune) bool { return r < ' ' || r == 0x7f || strings.ContainsRune(`"'\`, r) }

// quote shows the beginning of a line in a message.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%.*q...", most, s)
	}
	return fmt.Sprintf("%q", s)
}
