// Package testroot gives tests the Debian root trees in which they run real systemd.
//
// The trees are made by testdata/roots/make-root, which the Makefile calls before the tests, and are kept outside the
// source tree. They are shared and must not be changed: boot or mount an overlay of them.
package testroot

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Versions lists the trees by name with the systemd version that each must have.
var Versions = map[string]int{"bullseye": 247, "bookworm": 252, "trixie": 257, "sid": 262}

// Path returns the directory of the tree name, a key of [Versions]. It skips the test if the user is not root, and
// fails it if the user is root but the tree does not exist.
func Path(t testing.TB, name string) string {
	t.Helper()
	Need(t)
	dir := Tree(name)
	if _, err := os.Stat(dir + ".list"); err != nil {
		t.Fatalf("there is no %s tree: sudo testdata/roots/make-root %s (%v)", name, name, err)
	}
	return dir
}

// Tree is the directory in which make-root keeps the tree name.
func Tree(name string) string { return filepath.Join(cache(), "roots", name) }

// Daemons returns a directory with the unit files of many Debian packages of the suite of the tree name, with the same
// paths as in the packages. It skips and fails as [Path] does.
func Daemons(t testing.TB, name string) string {
	t.Helper()
	Need(t)
	dir := filepath.Join(cache(), "daemons", name)
	if _, err := os.Stat(dir + ".list"); err != nil {
		t.Fatalf("there are no unit files for %s: sudo testdata/roots/make-daemons %s (%v)", name, name, err)
	}
	return dir
}

// Need skips a test that needs root to run real systemd.
func Need(t testing.TB) {
	t.Helper()
	NeedFor(t, "boot real systemd in a container")
}

// NeedFor skips a test that needs root for something else.
func NeedFor(t testing.TB, what string) {
	t.Helper()
	if unix.Geteuid() != 0 {
		t.Skip("needs root, to " + what)
	}
}

func cache() string {
	if dir := os.Getenv("TEMPER_CACHE"); dir != "" {
		return dir
	}
	return "/var/cache/temper"
}

// inTree runs a command in a throwaway copy of a tree: an overlay in a mount namespace of its own, with /proc, /sys and
// cgroup2. Without these, systemd before 262 does not load a unit with IPIngressFilterPath=. copies are "FROM:TO", or
// "FROM=TO" for a directory that is mounted there instead.
const inTree = `set -e
tree=$1 work=$2 copies=$3; shift 3
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/root"
root=$work/root
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
for copy in $copies; do
	case $copy in
	*:*) mkdir -p "$root${copy#*:}" && cp -a "${copy%:*}/." "$root${copy#*:}" ;;
	*) mkdir -p "$root${copy#*=}" && mount --bind "${copy%=*}" "$root${copy#*=}" ;;
	esac
done
exec chroot "$root" "$@"`

// Command is a command that runs in a throwaway copy of a tree, without a manager. copies are directories of the
// machine: "FROM:TO" is copied, "FROM=TO" is mounted, so that what the command writes there stays.
func Command(t testing.TB, tree, copies string, args ...string) *exec.Cmd {
	return exec.Command(
		"unshare",
		append([]string{"--mount", "sh", "-c", inTree, "sh", tree, t.TempDir(), copies}, args...)...)
}
