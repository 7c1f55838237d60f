package debian

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// enter runs a command as root of a tree, in namespaces of its own for mounts, processes, IPC and the host name:
// nothing that it starts outlives it. The network is the machine's, for apt, and the scripts of packages cannot set
// its variables, nor any other of the kernel: those of some call sysctl(8).
const enter = `set -e
tree=$1; shift
mount --make-rprivate /
mount -t proc proc "$tree/proc"
for kept in sys sysrq-trigger; do
	[ -e "$tree/proc/$kept" ] || continue
	mount --bind "$tree/proc/$kept" "$tree/proc/$kept"
	mount -o remount,bind,ro "$tree/proc/$kept"
done
mount -t tmpfs -o mode=755,nosuid tmpfs "$tree/dev"
for node in null zero full random urandom tty; do : >"$tree/dev/$node"; mount --bind "/dev/$node" "$tree/dev/$node"; done
mkdir "$tree/dev/shm" "$tree/dev/pts"
ln -s /proc/self/fd "$tree/dev/fd"
ln -s /proc/self/fd/1 "$tree/dev/stdout"
ln -s /proc/self/fd/2 "$tree/dev/stderr"
if [ -e /etc/resolv.conf ]; then
	rm -f "$tree/etc/resolv.conf"; : >"$tree/etc/resolv.conf"
	mount --bind /etc/resolv.conf "$tree/etc/resolv.conf"
fi
exec chroot "$tree" "$@"`

// A Failed command has ended with another status than 0.
type Failed struct {
	Command string
	Log     []string // the last lines of what it wrote
}

// Error says which command, and the last line of what it wrote.
func (f *Failed) Error() string {
	if len(f.Log) == 0 {
		return f.Command + " failed"
	}
	return f.Command + ": " + f.Log[len(f.Log)-1]
}

// run runs a command in a tree and returns what it wrote. If it ends with another status than 0, the error is a
// [*Failed].
func run(ctx context.Context, tree string, args ...string) (string, error) {
	inside := append([]string{
		"--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", enter, "sh", tree,
		"/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root", "TERM=dumb",
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true",
	}, args...)
	return output(ctx, exec.CommandContext(ctx, "unshare", inside...), strings.Join(args, " "))
}

func output(ctx context.Context, c *exec.Cmd, name string) (string, error) {
	var out, errs strings.Builder // two pipes: what came first of both is not known
	c.Stdout, c.Stderr = &out, &errs
	c.WaitDelay = waitDelay
	err := c.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if _, ended := errors.AsType[*exec.ExitError](err); ended {
		return out.String(), &Failed{Command: name, Log: lastLines(out.String() + "\n" + errs.String())}
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return out.String(), nil
}

// lastLines returns the end of an output, without empty lines.
func lastLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n"); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-keptLines):]
}
