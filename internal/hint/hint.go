// Package hint attaches advice to an error, so that a message says what is wrong and a separate line says what to type.
// It also finds the word that a user probably meant ([Nearest]).
//
// Attach advice with [With] where the error arises; the command line prints [Of] after the error itself.
package hint

import (
	"errors"
	"syscall"
)

type hinted struct {
	error
	advice string
}

func (h *hinted) Unwrap() error { return h.error }

// With returns err with advice attached; the text of the error stays the same. It returns nil for a nil err.
func With(err error, advice string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, advice}
}

// Of returns the advice attached to err or to an error that it wraps, the outermost first, or "".
func Of(err error) string {
	if h, ok := errors.AsType[*hinted](err); ok {
		return h.advice
	}
	return ""
}

// IfUnprivileged adds a hint to err if root was refused something that root may do, as in a container.
func IfUnprivileged(err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES) {
		return With(
			err,
			"this seems to be a container without privileges: start it with --privileged, or use the machine itself",
		)
	}
	return err
}
