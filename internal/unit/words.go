package unit

import (
	"errors"
	"strings"
)

var (
	errQuote     = errors.New("a quote is not closed")
	errBackslash = errors.New("a backslash stands at the end")
)

// Words splits a value at blanks as systemd does for most lists: single and double quotes are removed and hold words
// together, also in the middle of a word, and a backslash, inside quotes too, makes the next character literal. With an
// unbalanced quote or a backslash at the end the error says so and the words before it are returned: some directives of
// systemd keep those, others keep none.
func Words(value string) ([]string, error) {
	var words []string
	for i := 0; ; {
		for i < len(value) && strings.IndexByte(blanks, value[i]) >= 0 {
			i++
		}
		if i == len(value) {
			return words, nil
		}
		word, n, err := firstWord(value[i:])
		if err != nil {
			return words, err
		}
		words = append(words, word)
		i += n
	}
}

// firstWord returns the word that s begins with and the length of its spelling.
func firstWord(s string) (string, int, error) {
	end := strings.IndexAny(s, blanks+`'"\`)
	if end < 0 {
		return s, len(s), nil
	}
	if strings.IndexByte(blanks, s[end]) >= 0 {
		return s[:end], end, nil
	}
	var (
		word  strings.Builder
		quote byte
	)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			if i++; i == len(s) {
				return "", 0, errBackslash
			}
			word.WriteByte(s[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote = c
		case strings.IndexByte(blanks, c) >= 0:
			return word.String(), i, nil
		default:
			word.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", 0, errQuote
	}
	return word.String(), len(s), nil
}

// Bool reads a boolean as systemd does: 1, yes, y, true, t and on, or 0, no, n, false, f and off, in any case.
func Bool(value string) (on, ok bool) {
	switch strings.ToLower(value) {
	case "1", "yes", "y", "true", "t", "on":
		return true, true
	case "0", "no", "n", "false", "f", "off":
		return false, true
	}
	return false, false
}
