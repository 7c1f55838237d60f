package ready

import "golang.org/x/sys/unix"

// timekeeping says for what the change times of a file system are reliable.
type timekeeping int

const (
	keepsNothing timekeeping = iota // contents and entries are compared
	keepsFiles
	keepsDirectories // and files
)

// timekeepers are the file systems on which this machine's kernel sets the time of every change. On all others, such as
// read-only images and those that a server or a program implements, somebody else sets the times.
//
// A file of an overlay has the times that it has in its layer. A directory is merged from several layers but has the
// times of the uppermost one: an extension image, or an update of a lower layer, changes its entries but not its times.
var timekeepers = map[int64]timekeeping{
	unix.EXT4_SUPER_MAGIC:      keepsDirectories, // ext2 and ext3, too
	unix.XFS_SUPER_MAGIC:       keepsDirectories,
	unix.BTRFS_SUPER_MAGIC:     keepsDirectories,
	unix.F2FS_SUPER_MAGIC:      keepsDirectories,
	unix.TMPFS_MAGIC:           keepsDirectories,
	unix.RAMFS_MAGIC:           keepsDirectories,
	bcachefsMagic:              keepsDirectories,
	zfsMagic:                   keepsDirectories,
	unix.OVERLAYFS_SUPER_MAGIC: keepsFiles,
}

// Magic numbers that package unix does not have.
const (
	bcachefsMagic = 0xca451a4e
	zfsMagic      = 0x2fc12fc1
)

// timekeeping returns for what the times on a device are reliable. It finds the file system by name, once for each
// device.
func (r *reader) timekeeping(name string, device uint64) timekeeping {
	t, known := r.times[device]
	if !known {
		var st unix.Statfs_t
		if r.root.Statfs(name, &st) == nil {
			t = timekeepers[int64(st.Type)]
		}
		r.times[device] = t
	}
	return t
}
