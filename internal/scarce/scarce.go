// Package scarce tells want of descriptors, inotify instances or memory from other failures: what fails for that says
// nothing about what failed, and later there may be enough. Call [Is].
package scarce

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// Is reports whether an error means that the machine, or this process, had too little left of something.
func Is(err error) bool {
	meaning := []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOSPC}
	return slices.ContainsFunc(meaning, func(errno unix.Errno) bool { return errors.Is(err, errno) })
}
