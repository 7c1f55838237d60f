package ready

import (
	"golang.org/x/sys/unix"

	"temper/internal/rootdir"
)

// ProfileDirs are the directories of profiles, the first one counts most.
var ProfileDirs = []string{
	"/etc/temper/profiles.d", "/run/temper/profiles.d", "/usr/local/lib/temper/profiles.d",
	"/usr/lib/temper/profiles.d",
}

// DisabledFile is a file that turns the generator off while it exists.
const DisabledFile = "/etc/temper/disabled"

// HasProfiles reports whether one of the [ProfileDirs] exists in a root.
func HasProfiles(root string) (bool, error) { return hasAny(root, ProfileDirs...) }

// Disabled reports whether [DisabledFile] exists.
func Disabled(root string) (bool, error) { return hasAny(root, DisabledFile) }

// InInitrd reports whether the generator runs in the initrd, whose units are not those of the machine. The variable
// exists since systemd 251; see systemd.generator(7).
func InInitrd(root string) (bool, error) {
	if v, ok := unix.Getenv("SYSTEMD_IN_INITRD"); ok {
		return v == "1", nil
	}
	return hasAny(root, "/etc/initrd-release")
}

// hasAny reports whether one of the names exists, even as a link that leads nowhere. An error says that this is not
// known.
func hasAny(root string, names ...string) (bool, error) {
	d, err := rootdir.Open(root)
	if err != nil {
		return false, err
	}
	defer d.Close()
	var st unix.Stat_t
	for _, name := range names {
		switch err := d.Stat(name, &st, unix.AT_SYMLINK_NOFOLLOW); err {
		case nil:
			return true, nil
		case unix.ENOENT, unix.ENOTDIR:
		default:
			return false, &nameError{name, err}
		}
	}
	return false, nil
}

// nameError is a *fs.PathError for a program that does not import package os.
type nameError struct {
	name string
	err  error
}

func (e *nameError) Error() string { return e.name + ": " + e.err.Error() }
func (e *nameError) Unwrap() error { return e.err }
