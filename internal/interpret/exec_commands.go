package interpret

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"temper/internal/unit"
)

// checkCommands counts the commands of an Exec directive, and returns the error for which systemd refuses the unit. An
// error in a command after "-" is not fatal, but systemd ignores the rest of the line.
func (r *reader) checkCommands(a unit.Assignment) error {
	if a.Value == "" {
		r.commands[a.Name] = 0
		return nil
	}
	rest := a.Value
	for {
		word, after, ok := commandWord(rest)
		if !ok {
			r.ignore(a, fmt.Sprintf("%s=%s: a quote does not end: systemd ignores it", a.Name, a.Value))
		}
		if !ok || word == nil {
			return nil
		}
		rest = after
		if *word == ";" {
			continue
		}
		c := r.command(*word)
		more, err := r.parseCommand(c, &rest)
		if err != nil {
			err = fmt.Errorf("%s=%s: %w", a.Name, a.Value, err)
			if c.has('-') {
				r.ignore(a, err.Error()+": systemd ignores it")
				return nil
			}
			return err
		}
		r.commands[a.Name]++
		if !more {
			return nil
		}
	}
}

// command is the first word of a command line: prefixes that change how the command runs, and its path.
type command struct{ prefixes, path string }

// has reports whether the command has a prefix. "-" means that failure does not count, "@" that the next word is
// argv[0], and "|" that a shell runs the line.
func (c command) has(prefix byte) bool { return strings.IndexByte(c.prefixes, prefix) >= 0 }

// command cuts the prefixes off a word.
func (r *reader) command(word string) command {
	n := 0
	for n < len(word) && r.isPrefix(word[n], word[:n]) {
		n++
	}
	return command{word[:n], word[n:]}
}

// isPrefix reports whether a character is another prefix of a command, after the prefixes seen. Each may stand once,
// and only one of "+", "!" and "!!", which say with which privileges the command runs.
func (r *reader) isPrefix(c byte, seen string) bool {
	switch c {
	case '|':
		return r.Version >= sinceShell && !strings.Contains(seen, "|")
	case '+':
		return !strings.ContainsAny(seen, "+!")
	case '!':
		return !strings.Contains(seen, "+") && strings.Count(seen, "!") < 2
	}
	return strings.IndexByte("-@:", c) >= 0 && strings.IndexByte(seen, c) < 0
}

// sinceShell is the first systemd version that runs a command in the user's shell after "|".
const sinceShell = 258

// parseCommand reads the path and arguments of one command. more is true after a ";".
func (r *reader) parseCommand(c command, rest *string) (more bool, err error) {
	args := 1
	if !c.has('|') { // the shell interprets the word
		if err := r.checkExecutable(c.path); err != nil {
			return false, err
		}
		if c.has('@') {
			args = 0
		}
	}
	for *rest != "" {
		if after, ok := cutWord(*rest, ";"); ok {
			*rest, more = after, true
			break
		}
		if after, ok := cutWord(*rest, `\;`); ok {
			*rest = after
			args++
			continue
		}
		word, after, ok := commandWord(*rest)
		if !ok {
			return false, errors.New("a quote does not end")
		}
		*rest = after
		if word == nil {
			break
		}
		if _, err := r.expand(*word); err != nil {
			return false, err
		}
		args++
	}
	if args == 0 {
		return false, errors.New("no argument for argv[0] after @")
	}
	return more, nil
}

// cutWord reports whether a line begins with this word, unquoted and followed by a blank or the end, and returns the
// rest of the line.
func cutWord(line, word string) (after string, ok bool) {
	after, ok = strings.CutPrefix(line, word)
	if !ok || after != "" && !strings.ContainsRune(blanks, rune(after[0])) {
		return "", false
	}
	return strings.TrimLeft(after, blanks), true
}

// checkExecutable checks the path of a command: an absolute path, or a name that systemd searches for.
func (r *reader) checkExecutable(name string) error {
	text, err := r.expand(name)
	base := path.Base(text)
	switch {
	case err != nil:
		return err
	case text == "":
		return errors.New("the path is empty")
	case strings.ContainsFunc(text, r.isSpecial):
		return fmt.Errorf("the path %q has special characters", text)
	case strings.HasSuffix(text, "/") || r.Version >= 253 && (base == "." || base == ".."):
		return fmt.Errorf("the path %s is a directory", text)
	case !path.IsAbs(text) && strings.Contains(text, "/"):
		return fmt.Errorf("%s is neither an absolute path nor a name", text)
	case tooLong(text):
		return fmt.Errorf("the path of %d bytes is too long", len(text))
	}
	return nil
}

// sinceNoGlobs is the first compared systemd version that refuses an executable with the characters of a glob: 257 does
// not.
const sinceNoGlobs = 262

// isSpecial reports whether systemd refuses an executable with this character in its path.
func (r *reader) isSpecial(c rune) bool {
	return c < ' ' || c == 0x7f || strings.ContainsRune(`"'\`, c) ||
		r.Version >= sinceNoGlobs && strings.ContainsRune("*?[", c)
}

// tooLong reports whether a path is longer than the path of any file can be.
func tooLong(path string) bool {
	return len(path) > maxPath ||
		slices.ContainsFunc(strings.Split(path, "/"), func(name string) bool { return len(name) > maxName })
}

// maxPath and maxName are the largest lengths of a path and of one name in it, from PATH_MAX and NAME_MAX of limits.h.
const (
	maxPath = 4095
	maxName = 255
)

const blanks = " \t\n\r"

// commandWord returns the first word of a command line, nil if there is none; ok is false if a quote does not end.
// Quotes are removed and C escapes replaced; an escape that does not exist stays as it is.
func commandWord(line string) (word *string, rest string, ok bool) {
	line = strings.TrimLeft(line, blanks)
	if line == "" {
		return nil, "", true
	}
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\':
			text, n := unescape(line[i:])
			b.WriteString(text)
			i += n - 1
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote == 0 && strings.IndexByte(blanks, c) >= 0:
			text := b.String()
			return &text, strings.TrimLeft(line[i:], blanks), true
		default:
			b.WriteByte(c)
		}
	}
	text := b.String()
	return &text, "", quote == 0
}

// unescape replaces the C escape that s begins with and returns how long it was. "\s" is a blank.
func unescape(s string) (text string, n int) {
	if len(s) > 1 && s[1] == 's' {
		return " ", 2
	}
	if len(s) > 1 && strings.IndexByte(`"'`, s[1]) >= 0 {
		return s[1:2], 2
	}
	r, multibyte, tail, err := strconv.UnquoteChar(s, 0)
	switch {
	case err != nil && len(s) > 1:
		return s[:2], 2
	case err != nil:
		return s, 1
	case multibyte:
		return string(r), len(s) - len(tail)
	}
	return string([]byte{byte(r)}), len(s) - len(tail)
}
