package rootdir

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// tree makes a root with files and links of every sort, and a file beside it that no name in it may reach.
func tree(t *testing.T) string {
	t.Helper()
	top := t.TempDir()
	root := filepath.Join(top, "root")
	err := errors.Join(
		os.MkdirAll(filepath.Join(root, "usr/lib/deep"), 0o755), os.MkdirAll(filepath.Join(root, "etc"), 0o755),
		os.WriteFile(filepath.Join(top, "outside"), []byte("outside"), 0o644),
		os.WriteFile(filepath.Join(root, "usr/lib/file"), []byte("inside"), 0o644),
	)
	for name, target := range map[string]string{
		"lib": "usr/lib", "abs": "/usr/lib/file", "up": "../../../outside", "out": filepath.Join(top, "outside"),
		"loop": "loop", "usr/lib/deep/back": "../../../../../usr/lib", "etc/root": "/", "dangling": "nowhere",
	} {
		err = errors.Join(err, os.Symlink(target, filepath.Join(root, name)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// The walk finds what openat2(2) finds, for all names and flags.
func TestWalkIsOpenat2(t *testing.T) {
	root := tree(t)
	d, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	names := []string{
		"/", ".", "..", "/..", "/usr", "usr/lib/file", "/usr/lib/file/", "/usr/lib/file/x", "/lib/file", "/lib/",
		"/lib", "/abs",
		"/up", "/out", "/loop", "/usr/lib/deep/back/file", "/etc/root/etc/root/lib/file", "/dangling", "/missing",
		"/missing/x",
		"/usr/../../../usr/lib/file", "/usr/lib/deep/../file", "/dangling/../usr", "//usr//lib/./file",
	}
	for _, name := range names {
		for _, flags := range []int{
			unix.O_PATH, unix.O_PATH | unix.O_NOFOLLOW, unix.O_RDONLY,
			unix.O_RDONLY | unix.O_NOFOLLOW, unix.O_PATH | unix.O_DIRECTORY,
		} {
			flags |= unix.O_CLOEXEC
			how := unix.OpenHow{Flags: uint64(flags), Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS}
			want, wantErr := identity(unix.Openat2(d.fd, name, &how))
			for wantErr == unix.EAGAIN { // somebody renamed a file meanwhile, anywhere; openat2(2)
				want, wantErr = identity(unix.Openat2(d.fd, name, &how))
			}
			if errors.Is(wantErr, unix.ENOSYS) {
				t.Skip("needs openat2(2), which Linux 5.6 has and this kernel or its sandbox has not")
			}
			got, err := identity(d.walk(name, flags))
			if got != want || err != wantErr {
				t.Errorf("%s with flags %#x: walk finds %v (%v), openat2 %v (%v)", name, flags, got, err, want, wantErr)
			}
		}
	}
}

// identity tells files apart, and closes the one that it is given.
func identity(fd int, err error) ([2]uint64, error) {
	if err != nil {
		return [2]uint64{}, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	return [2]uint64{st.Dev, st.Ino}, err
}

func TestParent(t *testing.T) {
	root := tree(t)
	d, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	lib, err := identity(d.Open("/usr/lib", unix.O_PATH))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/lib/file", "usr/lib/new/", "/usr/lib/deep/back/up"} {
		fd, base, err := d.Parent(name)
		got, err := identity(fd, err)
		if err != nil || got != lib || base != filepath.Base(name) {
			t.Errorf("%s: %v, %q, %v", name, got, base, err)
		}
	}
	for _, name := range []string{"", "/", "/usr/..", "/usr/.", "."} {
		if _, _, err := d.Parent(name); err != unix.EINVAL {
			t.Errorf("%q: %v, want %v", name, err, unix.EINVAL)
		}
	}
}

func TestReadlink(t *testing.T) {
	root := tree(t)
	host, err := Open("/")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	buf := make([]byte, unix.PathMax)
	for name, want := range map[string]error{
		"/lib": nil, "/usr": unix.EINVAL, "/missing": unix.ENOENT,
		"/lib/deep/back": nil,
	} {
		n, err := d.Readlink(name, buf)
		inside := string(buf[:n])
		m, hostErr := host.Readlink(root+name, buf)
		if err != want || hostErr != want || inside != string(buf[:m]) {
			t.Errorf(
				"%s: %q, %v, and as a name of this machine %q, %v, want %v",
				name,
				inside,
				err,
				buf[:m],
				hostErr,
				want,
			)
		}
	}
}

// Without openat2(2), too, nothing is found outside while a directory is exchanged for links that lead there.
func TestWalkWhileExchanged(t *testing.T) {
	root := tree(t)
	top := filepath.Dir(root)
	err := errors.Join(os.Rename(top+"/outside", top+"/secret"), os.Mkdir(top+"/outside", 0o755),
		os.Rename(top+"/secret", top+"/outside/file"), os.Remove(root+"/up"), os.Symlink("../outside", root+"/up"),
		os.Mkdir(root+"/d", 0o755), os.WriteFile(root+"/d/file", nil, 0o644))
	if err != nil {
		t.Fatal(err)
	}
	host, _ := Open("/")
	secret, err := identity(host.Open(top+"/outside/file", unix.O_PATH))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	stop, ended := make(chan struct{}), make(chan int)
	go func() {
		swaps := 0
		for {
			select {
			case <-stop:
				ended <- swaps
				return
			default:
			}
			for _, link := range []string{"/out", "/up"} {
				if unix.Renameat2(unix.AT_FDCWD, root+"/d", unix.AT_FDCWD, root+link, unix.RENAME_EXCHANGE) == nil {
					swaps++
				}
			}
		}
	}()
	found := 0
	for range 20_000 {
		for _, name := range []string{"/d/file", "/up/file", "/d/../d/file", "/usr/../up/file"} {
			got, err := identity(d.walk(name, unix.O_PATH|unix.O_CLOEXEC))
			if err == nil {
				found++
			}
			if got == secret {
				t.Fatalf("%s leads out", name)
			}
		}
	}
	close(stop)
	if swaps := <-ended; swaps == 0 || found == 0 {
		t.Errorf("%d exchanges, found %d", swaps, found)
	}
}
