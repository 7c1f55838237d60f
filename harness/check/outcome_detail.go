package check

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"temper/internal/plain"
	"temper/profiles"
)

// want returns an error unless text matches the pattern; what names the text in the error.
func want(what string, p profiles.Pattern, text string) error {
	if p.Match(text) {
		return nil
	}
	return fmt.Errorf("want %s with %s, got %s", what, show(p), quoted(text))
}

// show formats a pattern for a message: a substring in quotes, a regular expression between slashes.
func show(p profiles.Pattern) string {
	if len(p) > 2 && p[0] == '/' && p[len(p)-1] == '/' {
		return string(p)
	}
	return fmt.Sprintf("%q", string(p))
}

const (
	shown    = 100 // bytes of an answer that a detail shows
	lineSize = 400 // bytes of a detail
)

// quoted formats an answer of a service for a message, shortened and in one line.
func quoted(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return "nothing"
	}
	return fmt.Sprintf("%q", cut(text, shown))
}

// quotedEnd is like quoted, but keeps the end of a text that is too long.
func quotedEnd(text string) string {
	text = strings.TrimSpace(text)
	if from := len(text) - shown; from > 0 {
		for from < len(text) && !utf8.RuneStart(text[from]) {
			from++
		}
		text = "..." + text[from:]
	}
	return fmt.Sprintf("%q", text)
}

// oneLine makes a message plain, and limits its length.
func oneLine(s string) string {
	return cut(plain.Line(strings.Join(strings.Fields(s), " ")), lineSize)
}

// cut shortens s to at most size bytes and an ellipsis, between characters.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size] + "..."
}
