package profiles

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"temper/internal/plain"
	"temper/internal/unit"
)

// Finding is one problem of a profile. Its error text is "path:line: message: fix".
type Finding struct {
	ID        string `json:"id"`        // one of the ID constants; they never change
	Path      string `json:"path"`      // the file's name inside the root
	Line      int    `json:"line"`      // from 1; 0 if it concerns the whole file
	Directive string `json:"directive"` // the directive of [service] that it is about, or ""
	Message   string `json:"message"`   // what is wrong
	Fix       string `json:"fix"`       // what would be right, or ""
}

// Problems for which a profile is not loaded.
const (
	IDUnreadable       = "unreadable"        // the file cannot be read, is too large or not regular
	IDUntrusted        = "untrusted"         // a user other than root could have written it
	IDSyntax           = "syntax"            // not TOML
	IDUnknownKey       = "unknown-key"       // a key that the format does not have
	IDMisplacedKey     = "misplaced-key"     // a key that belongs into another table
	IDWrongType        = "wrong-type"        // a number where text is wanted, and the like
	IDBadText          = "bad-text"          // control characters, or an end that would continue on the next line
	IDBadName          = "bad-name"          // not the name of a profile or a unit
	IDBadPath          = "bad-path"          // not an absolute path
	IDBadDuration      = "bad-duration"      // not a duration, or out of range
	IDBadCheck         = "bad-check"         // a check that could not run
	IDBadChoice        = "bad-choice"        // none of the words that the key accepts
	IDUnknownDirective = "unknown-directive" // systemd has no such directive, or temper does not know it
	IDNotSandboxing    = "not-sandboxing"    // a directive of systemd that is not about sandboxing
	IDBadValue         = "bad-value"         // a value that the directive does not accept
	IDNoSuchProfile    = "no-such-profile"   // extends a profile that does not exist or did not load
	IDExtendsCycle     = "extends-cycle"     // extends itself
)

// Error returns the finding in one line, even if the name of the file has a newline.
func (f Finding) Error() string { return plain.Line(f.text()) }

func (f Finding) text() string {
	s := f.Message
	if f.Fix != "" {
		s += ": " + f.Fix
	}
	switch {
	case f.Path == "":
		return s
	case f.Line == 0:
		return f.Path + ": " + s
	}
	return fmt.Sprintf("%v: %s", unit.Position{Path: f.Path, Line: f.Line}, s)
}

// Findings returns every finding that err is, wraps or joins, in order. Any other error becomes a finding with
// [IDUnreadable] and without a path.
func Findings(err error) []Finding {
	switch e := err.(type) {
	case nil:
		return nil
	case Finding:
		return []Finding{e}
	case interface{ Unwrap() []error }:
		var all []Finding
		for _, one := range e.Unwrap() {
			all = append(all, Findings(one)...)
		}
		return all
	}
	if _, wraps := errors.AsType[Finding](err); wraps {
		return Findings(errors.Unwrap(err))
	}
	return []Finding{{ID: IDUnreadable, Message: err.Error()}}
}

// SortFindings orders findings by path, line and message.
func SortFindings(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
}

// join returns findings as one error, or nil if there is none.
func join(fs []Finding) error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// SyntaxFinding turns an error of the TOML library into a finding.
func SyntaxFinding(path string, err error) Finding {
	f := Finding{ID: IDSyntax, Path: path, Line: 1, Message: err.Error()}
	if pe, ok := errors.AsType[toml.ParseError](err); ok {
		f.Line, f.Message = max(pe.Position.Line, 1), pe.Message
	}
	f.Message = "not TOML: " + plain.Line(lowerFirst(strings.TrimSuffix(f.Message, ".")))
	return f
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}
