package unit

import (
	"errors"
	"strings"
)

var (
	errQuote     = errors.New("a quote is not closed")
	errBackslash = errors.New("a backslash stands at the end")
)

// WordFlags change how a value is split into words, as the flags of the same names do for systemd's
// extract_first_word().
type WordFlags int

// The flags. Without any, quotes are ordinary characters, and a backslash at the end is an error.
const (
	Unquote WordFlags = 1 << iota // quotes hold a word together and are removed
	Relax                         // an open quote or a backslash at the end ends the word instead of being an error
)

// Words splits a value at blanks as systemd does for most lists: with [Unquote]. See [SplitWords].
func Words(value string) ([]string, error) { return SplitWords(value, Unquote) }

// SplitWords splits a value at blanks. A backslash, inside quotes too, makes the next character literal. With
// [Unquote], single and double quotes are removed and hold words together, also in the middle of a word. Without
// [Relax], an open quote or a backslash at the end is an error, and the words before it are returned: some directives
// of systemd keep those, others keep none.
func SplitWords(value string, flags WordFlags) ([]string, error) {
	var words []string
	for value = strings.TrimLeft(value, blanks); value != ""; {
		word, rest, err := FirstWord(value, flags)
		if err != nil {
			return words, err
		}
		words = append(words, word)
		value = rest
	}
	return words, nil
}

// FirstWord returns the first word of a value, as [SplitWords] does, and what follows the blanks after the word. The
// value must not begin with a blank.
func FirstWord(value string, flags WordFlags) (word, rest string, err error) {
	end := strings.IndexAny(value, blanks+`'"\`)
	if end < 0 {
		return value, "", nil
	}
	if strings.IndexByte(blanks, value[end]) >= 0 {
		return value[:end], strings.TrimLeft(value[end:], blanks), nil
	}
	return quotedWord(value, flags)
}

// quotedWord is FirstWord for a word that has a quote or a backslash.
func quotedWord(value string, flags WordFlags) (word, rest string, err error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(value); i++ {
		c := value[i]
		opens := flags&Unquote != 0 && (c == '"' || c == '\'')
		switch {
		case c == '\\' && i+1 == len(value):
			return unbalanced(b.String(), errBackslash, flags)
		case c == '\\':
			i++
			b.WriteByte(value[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && opens:
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return b.String(), strings.TrimLeft(value[i:], blanks), nil
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return unbalanced(b.String(), errQuote, flags)
	}
	return b.String(), "", nil
}

// unbalanced is the result for a word that ends in an open quote or a backslash.
func unbalanced(word string, why error, flags WordFlags) (string, string, error) {
	if flags&Relax != 0 {
		return word, "", nil
	}
	return "", "", why
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
