// Package plain makes text that others have written safe to print: what services log, names of files and threads.
package plain

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns a text as one line that a terminal only shows. What is not printable, such as line breaks, escape
// sequences and characters that change the direction of text, is written as in Go: \n, \x1b, \u202e.
func Line(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		rest = rest[size:]
	}
	return b.String()
}

// Ours is text that temper itself has written, and that may have colours or line breaks.
type Ours string

// Lines returns a text of several lines, each of them plain.
func Lines(text string) Ours {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Line(line)
	}
	return Ours(strings.Join(lines, "\n"))
}

// Args applies [Line] to the texts and errors among the arguments of a format, in place, but not to those that are
// [Ours].
func Args(args []any) {
	for i, arg := range args {
		switch arg := arg.(type) {
		case string:
			args[i] = Line(arg)
		case error:
			args[i] = Line(arg.Error())
		case fmt.Stringer:
			// Numbers may be for %d.
			if kind := reflect.ValueOf(arg).Kind(); kind < reflect.Int || kind > reflect.Float64 {
				args[i] = Line(arg.String())
			}
		case Ours:
		default:
			if v := reflect.ValueOf(arg); v.Kind() == reflect.String {
				args[i] = Line(v.String())
			}
		}
	}
}
