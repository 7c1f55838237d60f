package ready

import "golang.org/x/sys/unix"

// timekeeping is what the times of change on a file system can be trusted for.
type timekeeping int

const (
	keepsNothing timekeeping = iota // contents and entries are compared
	keepsFiles
	keepsDirectories // and files
)

// timekeepers are the file systems on which this machine's kernel sets the time of every change. All others, such as
// images that are only read and what a server or a program implements, keep what somebody else gave them.
//
// A file on an overlay is one of a layer, with its times. A directory is merged of several layers, and has the times of
// the uppermost: an extension image or an update of the layers below changes its entries and no time.
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

// Package unix does not have these.
const (
	bcachefsMagic = 0xca451a4e
	zfsMagic      = 0x2fc12fc1
)

// timekeeping asks about the file system of a device, on which name is, once.
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
