package place

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"temper/internal/hint"
	"temper/internal/host"
)

// container is a systemd-nspawn and what it stands on.
type container struct {
	Options
	programs programs
	name     string // of the cgroup: temper-PID-START-ID
	group    *group
	console  console
	cmd      *exec.Cmd
	layers   []string      // where the file systems are that it is a copy of, in the order of their scratch directories
	stop     chan struct{} // closed to let the thread go that holds the namespaces
	gone     chan struct{} // closed when that thread is done
	dead     chan struct{} // closed when systemd-nspawn has ended
	exit     error         // how; to be read once dead is closed
	notYet   error         // why the bus cannot be used yet
	once     sync.Once
	closed   error
}

const defaultTimeout = 3 * time.Minute

// Container boots a copy of o.Image and returns when its D-Bus answers and its unit is active. The place lives until
// [Place.Close] or until ctx ends, whichever is first. A place that does not boot in time is an error with the last
// lines of its console, and nothing of it remains; where the user can do something about an error it carries a hint.
func Container(ctx context.Context, o Options) (*Place, error) {
	c, err := prepare(o)
	if err != nil {
		return nil, err
	}
	boot, cancel := context.WithTimeoutCause(ctx, c.Timeout, fmt.Errorf("did not come up within %s", c.Timeout))
	defer cancel()
	p, err := c.boot(boot)
	if err != nil {
		err = c.explain(boot, err)
		return nil, errors.Join(err, c.close())
	}
	p.close = func() error {
		c.once.Do(func() { p.disconnect(); c.closed = c.end() })
		return c.closed
	}
	go func() {
		select {
		case <-ctx.Done():
			_ = p.close() // told to whoever calls Close
		case <-c.gone:
		}
	}()
	return p, nil
}

var validID = regexp.MustCompile(`^[a-z0-9]{1,16}$`)

// prepare checks what can be checked before anything is started.
func prepare(o Options) (*container, error) {
	if o.ID == "" {
		o.ID = strings.ToLower(rand.Text()[:8])
	}
	if !validID.MatchString(o.ID) {
		return nil, fmt.Errorf("place id %q: want 1 to 16 lower-case letters and digits", o.ID)
	}
	if unix.Geteuid() != 0 {
		return nil, hint.With(errors.New("only root can boot a container"), "run it with sudo")
	}
	found, err := findPrograms()
	if err != nil {
		return nil, err
	}
	if err := o.checkImage(); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	name, err := OwnName("temper", o.ID)
	if err != nil {
		return nil, err
	}
	return &container{
		Options: o, programs: found, name: name, console: console{copy: o.Log},
		stop: make(chan struct{}), gone: make(chan struct{}), dead: make(chan struct{}),
	}, nil
}

// programs are the paths of what starts a container.
type programs struct{ nspawn, mount string }

// findPrograms resolves every link on the way to a program: some distributions keep links to all programs below /run,
// which is hidden when they are started.
func findPrograms() (programs, error) {
	const advice = "install systemd-nspawn: apt-get install systemd-container " +
		"(the package is systemd-container in Fedora and openSUSE too, and systemd itself in Arch)"
	var found programs
	path, err := exec.LookPath("systemd-nspawn")
	if err != nil {
		return found, hint.With(errors.New("systemd-nspawn is not installed"), advice)
	}
	if found.nspawn, err = filepath.EvalSymlinks(path); err != nil {
		return found, err
	}
	if path, err = exec.LookPath("mount"); err != nil {
		return found, hint.With(errors.New("mount(8) is not installed"), "install the package mount or util-linux")
	}
	found.mount, err = filepath.EvalSymlinks(path)
	return found, err
}

// busSockets and busPrograms are where a root keeps D-Bus; dbus-broker goes without a daemon of its own name.
var (
	busSockets  = []string{"/usr/lib/systemd/system/dbus.socket", "/lib/systemd/system/dbus.socket", "/etc/systemd/system/dbus.socket"}
	busPrograms = []string{"/usr/bin/dbus-daemon", "/usr/bin/dbus-broker-launch", "/bin/dbus-daemon"}
)

// checkImage makes o.Image absolute and finds what it lacks to be booted.
func (o *Options) checkImage() error {
	if o.Image == "" {
		o.Image = "/"
	}
	path, err := filepath.Abs(o.Image)
	if err != nil {
		return err
	}
	o.Image = path
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return hint.With(fmt.Errorf("%s: is a file, want the root directory of a system", path),
			"mount it: systemd-dissect --mount "+path+" DIR")
	}
	root := host.Root(path)
	if _, err := root.SystemdVersion(); err != nil {
		return hint.With(err, "install the package systemd in "+path)
	}
	if !anyIn(root, busSockets) || !anyIn(root, busPrograms) {
		return hint.With(fmt.Errorf("%s: D-Bus is not installed, without which nobody can talk to its systemd", path),
			"install the package dbus (or dbus-broker) in "+path)
	}
	return nil
}

func anyIn(root host.Root, names []string) bool {
	for _, name := range names {
		if _, err := root.Stat(name); err == nil {
			return true
		}
	}
	return false
}

// boot starts the container and waits until it is ready.
func (c *container) boot(ctx context.Context) (*Place, error) {
	group, err := newGroup(ctx, c.name)
	if err != nil {
		close(c.gone)
		close(c.dead)
		return nil, err
	}
	c.group = group
	started := make(chan error, 1)
	onOwnThread(func() {
		defer close(c.gone)
		err := c.start()
		started <- err
		if err == nil {
			<-c.stop // systemd-nspawn gets SIGKILL when this thread ends
		}
	})
	err = <-started
	group.occupied()
	if err != nil {
		close(c.dead)
		return nil, err
	}
	go func() {
		c.exit = c.cmd.Wait()
		close(c.dead)
	}()
	return c.ready(ctx)
}

// explain says why a boot failed: the caller gave up, time was up, or the container ended; with its last words.
func (c *container) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
		if c.notYet != nil && !errors.Is(cause, context.Canceled) {
			err = fmt.Errorf("%w (%w)", cause, c.notYet)
		}
	}
	if c.cmd != nil && !errors.Is(err, context.Canceled) {
		err = c.withConsole(err)
		if c.Image != "/" {
			err = hint.With(err, "see it boot by hand: systemd-nspawn --volatile=overlay -b -D "+c.Image)
		}
	}
	return fmt.Errorf("boot %s: %w", c.Image, err)
}

// withConsole adds the last lines of the console to err.
func (c *container) withConsole(err error) error {
	if said := c.console.lines(consoleLines); said != "" {
		return fmt.Errorf("%w; its console said:\n%s", err, said)
	}
	return err
}

const consoleLines = 12

// ended says how a container that was up came to its end.
func (c *container) ended() error {
	err := errors.New("the container has ended")
	if c.exit != nil {
		err = fmt.Errorf("the container has ended: systemd-nspawn: %w", c.exit)
	}
	return c.withConsole(err)
}

// close is end for a container that no Place stands for yet.
func (c *container) close() error {
	c.once.Do(func() { c.closed = c.end() })
	return c.closed
}

// end kills systemd-nspawn. That is PID 1 of a PID namespace, so every process of the container is dead when it has been
// waited for; the mounts go with the thread, and the cgroup is then empty.
func (c *container) end() error {
	if c.cmd != nil && c.cmd.Process != nil {
		_ = c.cmd.Process.Kill() // that it has ended already is as good
	}
	<-c.dead
	close(c.stop)
	<-c.gone
	if c.group == nil {
		return nil
	}
	return c.group.remove()
}
