// Package users gives a container users of its own: a range of user and group ids of the machine that nobody else
// uses, and a user namespace that maps them; user_namespaces(7).
//
// Call [Choose], and [Range.Namespace] for the mounts. The root of such a container has no right on the machine.
package users

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// Range is the users that a container has: its user 0 is the machine's user First, and so on. The zero value stands
// for the users of the machine itself.
type Range struct {
	First, Count uint32
}

// Private reports whether the users are not the machine's own.
func (r Range) Private() bool { return r.Count > 0 }

// Inside returns the number that an id of the machine has in the container. An id that the container does not have
// stays as it is.
func (r Range) Inside(id uint32) uint32 {
	if id >= r.First && id-r.First < r.Count {
		return id - r.First
	}
	return id
}

// Outside returns the number that an id of the container has on the machine. Known is false for an id that the range
// does not reach.
func (r Range) Outside(id uint32) (outside uint32, known bool) {
	if !r.Private() {
		return id, true
	}
	return r.First + id, id < r.Count
}

// ErrNoNamespace says that this machine gives no user namespace.
var ErrNoNamespace = errors.New("this machine gives no user namespace")

// Available returns an error that wraps [ErrNoNamespace] where the kernel is known to give no user namespace.
func Available() error {
	// Each user namespace counts for all those that it is in, so that the machine's number bounds root too.
	if data, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err == nil && string(data) == "0\n" {
		return fmt.Errorf("%w: user.max_user_namespaces is 0", ErrNoNamespace)
	}
	if _, err := os.Stat("/proc/self/ns/user"); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: the kernel is built without them", ErrNoNamespace)
	}
	return nil
}

// Namespace opens a new user namespace that maps the range. An error wraps [ErrNoNamespace] where the kernel refuses
// one.
func (r Range) Namespace() (*os.File, error) {
	cat := exec.Command("cat") // lives until its input ends, also where this process is killed
	mapping := []syscall.SysProcIDMap{{ContainerID: 0, HostID: int(r.First), Size: int(r.Count)}}
	cat.SysProcAttr = &syscall.SysProcAttr{
		Setsid: true, Cloneflags: unix.CLONE_NEWUSER,
		UidMappings: mapping, GidMappings: mapping, GidMappingsEnableSetgroups: true,
	}
	input, err := cat.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cat.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoNamespace, errors.Join(err, input.Close()))
	}
	defer func() { end(cat, input) }()
	return os.Open(fmt.Sprintf("/proc/%d/ns/user", cat.Process.Pid))
}

// end ends the process that has kept a namespace open. Its exit status means nothing.
func end(cat *exec.Cmd, input io.Closer) {
	_ = input.Close()
	_ = cat.Wait()
}
