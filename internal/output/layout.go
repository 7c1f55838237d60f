package output

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"temper/internal/inforce"
	"temper/internal/plain"
	"temper/internal/verdict"
)

// narrow is the least width to which text is wrapped.
const narrow = 40

// width is the number of columns to which results are wrapped; 0 where they do not go to a terminal, and a line stays
// a line for other programs.
func (p Printer) width() int {
	f, ok := p.Out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil || w <= 0 {
		return 80
	}
	return max(w, narrow)
}

// table prints rows in aligned columns, and what is in them plain. The last column of each row is wrapped at whole
// words.
func (p Printer) table(rows [][]string) error {
	for _, row := range rows {
		for i, cell := range row {
			row[i] = plain.Line(cell)
		}
	}
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:max(len(row)-1, 0)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], visible(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row[:max(len(row)-1, 0)] {
			line += cell + strings.Repeat(" ", widths[i]+2-visible(cell))
		}
		if len(row) > 0 {
			line = wrap(line, row[len(row)-1], p.width())
		}
		b.WriteString(line + "\n")
	}
	_, err := fmt.Fprint(p.Out, b.String())
	return err
}

// wrap puts words after the beginning of a line and goes on below where the words began, so that no line is wider than
// width if its words allow that. A width of 0 wraps nothing.
func wrap(begin, text string, width int) string {
	indent := visible(begin)
	if width > 0 && indent > width/2 { // a narrow column of words is hard to read
		indent = len(begin) - len(strings.TrimLeft(begin, " ")) + 4
		if visible(begin)+visible(text) > width {
			begin = strings.TrimRight(begin, " ") + "\n" + strings.Repeat(" ", indent)
		}
	}
	if width == 0 || indent+visible(text) <= width {
		return strings.TrimRight(begin+text, " ")
	}
	var b strings.Builder
	b.WriteString(begin)
	at := indent
	for i, word := range strings.Fields(text) {
		n := visible(word)
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at = indent
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return strings.TrimRight(b.String(), " ")
}

// Refill breaks the lines of paragraphs anew, so that none is wider than width. A paragraph with an indented line stays
// as it is.
func Refill(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.Contains(p, "\n ") {
			paragraphs[i] = wrap("", strings.Join(strings.Fields(p), " "), width)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

// visible is the number of columns that a text takes, without its colours.
func visible(text string) int { return utf8.RuneCountInString(colors.ReplaceAllString(text, "")) }

var colors = regexp.MustCompile("\x1b\\[[0-9;]*m")

// Colours of a terminal.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	normal = "\x1b[0m"
)

// isColored reports whether results are coloured: on a terminal, unless NO_COLOR is set; see no-color.org.
func (p Printer) isColored() bool { return p.width() > 0 && os.Getenv("NO_COLOR") == "" }

// colorOf is the colour of services in a state. Green says proven: hardened services of which one only started are
// not green.
func colorOf(state inforce.State, services []inforce.Service) string {
	switch state {
	case inforce.Hardened:
		if slices.ContainsFunc(services, func(s inforce.Service) bool { return s.Result != verdict.Proven }) {
			return yellow
		}
		return green
	case inforce.RestartNeeded:
		return yellow
	case inforce.Broken:
		return red
	}
	return ""
}

// coloredResult gives the result of a proof, in words, its colour.
func (p Printer) coloredResult(v verdict.Verdict) plain.Ours {
	switch {
	case v.Result == verdict.Proven:
		return p.in(green, v.Summary())
	case slices.Contains([]string{verdict.Broken, verdict.BrokenBaseline}, v.Result):
		return p.in(red, v.Summary())
	}
	return p.in(yellow, v.Summary())
}

// in gives a text a colour.
func (p Printer) in(color, text string) plain.Ours {
	text = plain.Line(text)
	if color == "" || !p.isColored() {
		return plain.Ours(text)
	}
	return plain.Ours(color + text + normal)
}
