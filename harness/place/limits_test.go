package place_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/testroot"
)

// TestSystemdLimits: limits from outside bound what a container uses, its root cannot lift them, and the place reports
// which of them were reached.
func TestSystemdLimits(t *testing.T) {
	p := container(t, place.Options{
		Image: testroot.Path(t, "trixie"), Limits: place.Limits{Tasks: 200, Memory: 400 << 20},
	})
	if got := p.LimitsReached().Since(nil); len(got) > 0 {
		t.Errorf("an idle place has reached %q", got)
	}
	got := output(
		t,
		p,
		`perl -e 'while (@p < 300) { $p = fork; last unless defined $p; exec "sleep", 100 unless $p; push @p, $p }
		print scalar @p; kill KILL => @p'`,
	)
	if len(got) != 3 || got < "100" || got >= "200" {
		t.Errorf("%s processes were made", got)
	}
	if got := p.LimitsReached().Since(nil); !slices.Equal(got, []string{"tasks"}) {
		t.Errorf("after too many processes it has reached %q", got)
	}
	got = output(t, p, `perl -e '$x = "x" x (600 << 20)'; echo $?; mkdir /c; mount -t cgroup -o memory none /c &&
		for f in $(find /c -name memory.limit_in_bytes); do echo -1 >$f && echo lifted; done 2>/dev/null; true`)
	if got != "137\n" {
		t.Errorf("600 MiB were there, or the limit could be lifted: %s", got)
	}
	if got := p.LimitsReached().Since(nil); !slices.Equal(got, []string{"memory", "tasks"}) {
		t.Errorf("after too much memory it has reached %q", got)
	}
	got = output(t, p, "head -c 500M /dev/zero >/var/big; stat -c %s /var/big; rm /var/big")
	if size := strings.TrimSpace(got); len(size) > 9 || size >= "320000000" {
		t.Errorf("a file of %s bytes was written", size)
	}
}

// TestSystemdUsers: the root of a container is nobody on the machine, and inside the container each file of the image
// has the owner that it has in the image.
func TestSystemdUsers(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie")})
	got := output(
		t,
		p,
		`stat -c '%U %a %n' /etc/passwd /etc/shadow /tmp /var/lib/redis; stat -c %g /usr/bin/crontab; cat /proc/self/uid_map;
		for n in 1 65536 30000000; do touch /var/tmp/$n; chown $n:$n /var/tmp/$n; stat -c %u /var/tmp/$n; done;
		mknod /tmp/null c 1 3 2>&1; su nobody -s /bin/sh -c 'id -un'`,
	)
	for _, want := range []string{
		"root 644 /etc/passwd\n", "root 640 /etc/shadow\n", "root 1777 /tmp\n",
		"redis 750 /var/lib/redis\n", "\n1\n65536\n30000000\n", "Operation not permitted", "\nnobody\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, " 0          0 ") {
		t.Errorf("the container has the machine's users:\n%s", got)
	}
	// A service has the limits of open files that it has on a machine, as far as this process may give them.
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("1024\n%d\n", min(own.Max, 512<<10))
	if got := output(t, p, "ulimit -Sn; ulimit -Hn"); got != want {
		t.Errorf("a service may open %q, want %q", got, want)
	}
	// Commands run as the container's own root, and files belong to it.
	if got := output(t, p, "id -u; touch /run/x; stat -c %u /run/x"); got != "0\n0\n" {
		t.Errorf("a command runs as %q", got)
	}
}

// TestSystemdChangedOwners: an image that is an overlay itself, as container engines have it, cannot be mapped; each
// of its files then changes its owner and keeps its set-user-ID bit and capabilities, and the image stays as it is.
func TestSystemdChangedOwners(t *testing.T) {
	lower := testroot.Path(t, "bookworm")
	scratch := t.TempDir()
	if err := unix.Mount("tmpfs", scratch, "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(scratch, unix.MNT_DETACH) }()
	for _, dir := range []string{"upper", "work", "root"} {
		if err := os.Mkdir(filepath.Join(scratch, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	image := filepath.Join(scratch, "root")
	options := "lowerdir=" + lower + ",upperdir=" + scratch + "/upper,workdir=" + scratch + "/work"
	if err := unix.Mount("overlay", image, "overlay", 0, options); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Unmount(image, unix.MNT_DETACH) }()
	capable := filepath.Join(image, "usr/bin/capable")
	if err := os.WriteFile(capable, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	netBindService := []byte{
		1,
		0,
		0,
		2,
		0,
		4,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
	} // VFS_CAP_REVISION_2, effective
	if err := unix.Setxattr(capable, "security.capability", netBindService, 0); err != nil {
		t.Fatal(err)
	}
	p := container(t, place.Options{Image: image})
	got := output(t, p, `stat -c '%U %a %n' /etc/shadow /usr/bin/su; su nobody -s /bin/sh -c 'id -un'`)
	for _, want := range []string{"root 640 /etc/shadow\n", "root 4755 /usr/bin/su\n", "nobody\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	data := make([]byte, 64)
	inPlace := fmt.Sprintf("/proc/%d/root/usr/bin/capable", p.Leader())
	if n, err := unix.Getxattr(inPlace, "security.capability", data); err != nil || n != 24 || data[5] != 4 {
		t.Errorf("the capabilities of a file are %d bytes, %v, in the place %v", n, data[:max(n, 0)], err)
	}
	if n, err := unix.Getxattr(capable, "security.capability", data); err != nil || n != 20 {
		t.Errorf("those of the original are %d bytes, %v", n, err)
	}
}
