// Package quote marks what a program said in an error, so that it can be left out where nobody may read that.
//
// Attach it with [With] where the error arises; [Without] leaves it out.
package quote

import "strings"

type quoting struct {
	error
	said string
}

func (q *quoting) Error() string { return q.error.Error() + q.said }
func (q *quoting) Unwrap() error { return q.error }

// With returns err with what a program said after its text.
func With(err error, said string) error { return &quoting{err, said} }

// short is an error with less text.
type short struct {
	error
	text string
}

func (s *short) Error() string { return s.text }
func (s *short) Unwrap() error { return s.error }

// Without returns err with the first line of its text alone, in which no program is quoted; nil for nil.
func Without(err error) error {
	if err == nil {
		return nil
	}
	text := cut(err.Error(), err)
	text, _, _ = strings.Cut(text, "\n")
	return &short{err, text}
}

// cut takes the quotes of an error, and of those that it wraps, out of its text.
func cut(text string, err error) string {
	if q, ok := err.(*quoting); ok && q.said != "" {
		text = strings.ReplaceAll(text, q.said, "")
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return cut(text, inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			text = cut(text, inner)
		}
	}
	return text
}
