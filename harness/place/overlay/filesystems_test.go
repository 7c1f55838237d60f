package overlay

import "testing"

// The type and the path of a mount decide whether it is copied; each row is a mount of a real machine.
func TestCopied(t *testing.T) {
	for _, tc := range []struct {
		at, fstype string
		want       bool
	}{
		{"/home", "ext4", true},
		{"/var", "btrfs", true},
		{"/srv/data", "nfs4", true},
		{"/var/lib/mysql", "tmpfs", true},
		{"/etc/hosts", "ext4", true},
		{"/mnt/windows", "fuseblk", true},
		{"/runtime", "ext4", true},
		{"/run/user/1000", "tmpfs", false},
		{"/tmp", "ext4", false},
		{"/dev/shm", "tmpfs", false},
		{"/proc/sys/fs/binfmt_misc", "autofs", false},
		{"/home/u/remote", "fuse.sshfs", false},
		{"/var/lib/chroot/proc", "proc", false},
	} {
		if got := Copied(tc.at, tc.fstype); got != tc.want {
			t.Errorf("%s on %s: %v, want %v", tc.fstype, tc.at, got, tc.want)
		}
	}
}
