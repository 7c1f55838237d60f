package ready

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Name is the base name of every drop-in that temper writes.
const Name = "50-temper.conf"

// Write writes drop-ins below dir, which must exist, and returns how many it wrote. It does not stop at an error.
func Write(dir string, dropins []Dropin) (int, error) {
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, errors.New("write drop-ins: open " + dir + ": " + err.Error())
	}
	defer unix.Close(at)
	var problems []error
	for _, d := range dropins {
		if err := d.write(at); err != nil {
			problems = append(problems, errors.New("write drop-in of "+d.Unit+": "+err.Error()))
		}
	}
	return len(dropins) - len(problems), errors.Join(problems...)
}

// write writes a drop-in below the open directory dir. A reader finds all of it or nothing. It is not synced, since
// /run does not survive a power failure.
func (d Dropin) write(dir int) error {
	if err := unix.Mkdirat(dir, d.Unit+".d", 0o755); err != nil && err != unix.EEXIST {
		return err
	}
	temporary := d.Unit + ".d/." + Name + ".new"
	err := writeNew(dir, temporary, d.Text)
	if err == nil {
		err = unix.Renameat(dir, temporary, dir, d.Unit+".d/"+Name)
	}
	if err != nil {
		_ = unix.Unlinkat(dir, temporary, 0)
	}
	return err
}

func writeNew(dir int, file string, text []byte) error {
	fd, err := unix.Openat(dir, file, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	n, err := unix.Write(fd, text)
	if err == nil && n < len(text) {
		err = unix.ENOSPC
	}
	if closed := unix.Close(fd); err == nil {
		err = closed
	}
	return err
}
