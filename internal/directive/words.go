package directive

import "strings"

// wordRules are the flags of systemd's extract_first_word() that the directives of this package use.
type wordRules struct {
	unquote bool // quotes hold a word together and are removed
	relax   bool // an open quote or a trailing backslash ends the word instead of being an error
}

// PlainWords splits a value at blanks as the directives do for which quotes mean nothing: filters of system calls,
// namespaces and addresses. A backslash makes the next character literal; ok is false if one stands at the end.
func PlainWords(value string) (words []string, ok bool) { return splitWords(value, wordRules{}) }

const blanks = " \t\n\r"

// splitWords splits a value at blanks. ok is false at an open quote or a trailing backslash: the words before it stand,
// the rest of the value is lost.
func splitWords(value string, rules wordRules) (words []string, ok bool) {
	for {
		value = strings.TrimLeft(value, blanks)
		if value == "" {
			return words, true
		}
		word, rest, ok := firstWord(value, rules)
		if !ok {
			return words, false
		}
		words = append(words, word)
		value = rest
	}
}

// firstWord returns the first word of a value that does not start with a blank, and what follows the blanks after it.
func firstWord(value string, rules wordRules) (word, rest string, ok bool) {
	end := strings.IndexAny(value, blanks)
	if end < 0 {
		end = len(value)
	}
	if !strings.ContainsAny(value[:end], `\"'`) { // the usual case
		return value[:end], strings.TrimLeft(value[end:], blanks), true
	}
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\\':
			if i++; i == len(value) {
				return b.String(), "", rules.relax
			}
			b.WriteByte(value[i])
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && rules.unquote && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			return b.String(), strings.TrimLeft(value[i:], blanks), true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), "", quote == 0 || rules.relax
}
