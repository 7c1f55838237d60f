package place_test

import (
	"slices"
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/testroot"
)

// TestSystemdLimits: what a container can take is bounded from outside, its root cannot lift the bounds, and it is known
// afterwards which were reached.
func TestSystemdLimits(t *testing.T) {
	p := container(t, place.Options{
		Image: testroot.Path(t, "trixie"), Limits: place.Limits{Tasks: 200, Memory: 400 << 20},
	})
	if got := p.LimitsReached(); len(got) > 0 {
		t.Errorf("an idle place has reached %q", got)
	}
	got := output(t, p, `perl -e 'while (@p < 300) { $p = fork; last unless defined $p; exec "sleep", 100 unless $p; push @p, $p }
		print scalar @p; kill KILL => @p'`)
	if len(got) != 3 || got < "100" || got >= "200" {
		t.Errorf("%s processes were made", got)
	}
	if got := p.LimitsReached(); !slices.Equal(got, []string{"tasks"}) {
		t.Errorf("after too many processes it has reached %q", got)
	}
	got = output(t, p, `perl -e '$x = "x" x (600 << 20)'; echo $?; mkdir /c; mount -t cgroup -o memory none /c &&
		for f in $(find /c -name memory.limit_in_bytes); do echo -1 >$f && echo lifted; done 2>/dev/null; true`)
	if got != "137\n" {
		t.Errorf("600 MiB were there, or the limit could be lifted: %s", got)
	}
	if got := p.LimitsReached(); !slices.Equal(got, []string{"tasks", "memory"}) {
		t.Errorf("after too much memory it has reached %q", got)
	}
	got = output(t, p, "head -c 500M /dev/zero >/var/big; stat -c %s /var/big; rm /var/big")
	if size := strings.TrimSpace(got); len(size) > 9 || size >= "320000000" {
		t.Errorf("a file of %s bytes was written", size)
	}
}

// TestSystemdUsers: the root of a container is nobody on the machine, and the files of the image belong inside to whom they belong.
func TestSystemdUsers(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie")})
	got := output(t, p, `stat -c '%U %a %n' /etc/passwd /etc/shadow /tmp /var/lib/redis; stat -c %g /usr/bin/crontab; cat /proc/self/uid_map;
		for n in 1 65536 30000000; do touch /var/tmp/$n; chown $n:$n /var/tmp/$n; stat -c %u /var/tmp/$n; done;
		mknod /tmp/null c 1 3 2>&1; su nobody -s /bin/sh -c 'id -un'`)
	for _, want := range []string{"root 644 /etc/passwd\n", "root 640 /etc/shadow\n", "root 1777 /tmp\n", "redis 750 /var/lib/redis\n", "\n1\n65536\n30000000\n", "Operation not permitted", "\nnobody\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, " 0          0 ") {
		t.Errorf("the container has the machine's users:\n%s", got)
	}
	// Commands and files are the container's own root's.
	if got := output(t, p, "id -u; touch /run/x; stat -c %u /run/x"); got != "0\n0\n" {
		t.Errorf("a command runs as %q", got)
	}
}
