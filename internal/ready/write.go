package ready

import "golang.org/x/sys/unix"

// Name is the base name of every drop-in that temper writes.
const Name = "50-temper.conf"

// Write writes the drop-in of a unit below the directory that dir is open on. A reader finds it whole or not at all. It is not
// synced: /run is gone with the power anyway.
func Write(dir int, d Dropin) error {
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
