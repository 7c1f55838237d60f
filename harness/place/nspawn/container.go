// Package nspawn boots a copy of a root directory in systemd-nspawn(1).
//
// Call [Check] to learn what the machine or a root directory lacks, and [Start]. The copy is an overlay in memory; its
// mounts and processes live in namespaces that end with the calling process, even by kill -9.
package nspawn

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"temper/harness/place/namespace"
	"temper/harness/place/overlay"
	"temper/harness/place/users"
	"temper/internal/host"
	"temper/internal/quote"
)

// Config says what to boot.
type Config struct {
	Image string // the root directory to copy, an absolute path
	ID    string // lower-case letters and digits
	Unit  string // what to boot; "" is [DefaultUnit]
	Args  []string
	// Hostname is the name that the container has where its /etc/hostname says nothing else.
	Hostname string
	Files    []File    // written into the copy before it boots
	Log      io.Writer // receives the console; can be nil
	// Users are the users that the container has, in a user namespace of its own. The zero value boots it in that of
	// the machine, where its root can do to the machine what root can.
	Users users.Range
	// CgroupFD is open for the directory of the cgroup in which the container runs.
	CgroupFD int
	// JoinCgroups are the files cgroup.procs of other cgroups in which it runs.
	JoinCgroups []string
	// Memory bounds, in bytes, what is written to the copy; 0 is half of the machine's memory.
	Memory uint64
}

// File is a file of a container. Its parent directories are made as needed.
type File struct {
	Name string // path inside the container
	Data []byte
	Mode fs.FileMode // permission bits; 0 is 0644
}

// Container is a systemd-nspawn that has been started.
type Container struct {
	Config
	programs    programs
	console     console
	cmd         *exec.Cmd
	ready       io.WriteCloser // tells cmd that it is in its cgroups
	fileSystems []string
	stop        chan struct{} // closed to let the thread end that holds the namespaces
	threadDone  chan struct{}
	done        chan struct{}
	exit        error // of systemd-nspawn; complete once done is closed
	killOnce    sync.Once
}

// Start starts systemd-nspawn and does not wait until the container is up. Nothing remains of one that is not started.
// [Container.Kill] ends it.
func Start(config Config) (*Container, error) {
	found, err := findPrograms()
	if err != nil {
		return nil, err
	}
	found.help = helpText(found.nspawn)
	c := &Container{
		Config: config, programs: found, console: console{copy: config.Log},
		stop: make(chan struct{}), threadDone: make(chan struct{}), done: make(chan struct{}),
	}
	u := overlay.Users{Range: config.Users, Namespace: -1}
	if config.Users.Private() {
		mapping, err := config.Users.Namespace()
		if err != nil {
			return nil, err
		}
		defer mapping.Close()
		u.Namespace = int(mapping.Fd())
	}
	started := make(chan error, 1)
	namespace.OnOwnThread(func() {
		defer close(c.threadDone)
		err := c.start(u)
		started <- err
		if err == nil {
			<-c.stop // systemd-nspawn gets SIGKILL when this thread ends
		}
	})
	if err := <-started; err != nil {
		<-c.threadDone
		return nil, err
	}
	joined := c.join() // before anybody waits for it, which closes the pipe
	go func() {
		c.exit = c.cmd.Wait()
		close(c.done)
	}()
	if joined != nil {
		c.Kill()
		return nil, fmt.Errorf("put systemd-nspawn into its cgroups: %w", joined)
	}
	return c, nil
}

// start makes the namespaces and the tree on the calling thread and starts systemd-nspawn from it, which inherits them.
func (c *Container) start(u overlay.Users) error {
	// The first process of a PID namespace is its init. os makes a short-lived process of its own when it is first
	// asked for one, to learn whether the kernel has pidfds; that must not happen on this thread.
	if _, err := os.FindProcess(os.Getpid()); err != nil {
		return err
	}
	if err := separate(); err != nil {
		return err
	}
	if err := c.mountTree(u); err != nil {
		return err
	}
	if err := namespace.AsUser(c.Users.First, func() error { return c.writeFiles(host.At(merged)) }); err != nil {
		return err
	}
	// Services start as at a boot, not with the nice(1) of the caller.
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0) // of this thread
	cmd := c.command()
	ready, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.cmd, c.ready = cmd, ready
	return nil
}

// join puts systemd-nspawn into its other cgroups and lets it go on.
func (c *Container) join() error {
	pid := strconv.Itoa(c.PID())
	for _, file := range c.JoinCgroups {
		if err := os.WriteFile(file, []byte(pid), 0); err != nil {
			return err
		}
	}
	_, err := io.WriteString(c.ready, "\n")
	return errors.Join(err, c.ready.Close())
}

// PID is the process id of systemd-nspawn.
func (c *Container) PID() int { return c.cmd.Process.Pid }

// FileSystems are the paths, inside the image, of the file systems that the container is a copy of; see [Scratch].
func (c *Container) FileSystems() []string { return c.fileSystems }

// Done is closed when systemd-nspawn has ended, and with it every process of the container.
func (c *Container) Done() <-chan struct{} { return c.done }

// Err says how systemd-nspawn ended. It is nil while it runs, and where systemd has shut down.
func (c *Container) Err() error {
	select {
	case <-c.done:
	default:
		return nil
	}
	if c.exit == nil {
		return nil
	}
	return fmt.Errorf("systemd-nspawn: %w", c.exit)
}

// Kill ends the container and returns when it is gone. It can be called again.
//
// systemd-nspawn is PID 1 of a PID namespace, so every process of the container is dead when systemd-nspawn has been
// waited for; the mounts go with the thread.
func (c *Container) Kill() {
	c.killOnce.Do(func() {
		_ = c.cmd.Process.Kill() // that it has ended already is as good
		<-c.done
		close(c.stop)
	})
	<-c.threadDone
}

// WithConsole adds the last lines of the console to err.
func (c *Container) WithConsole(err error) error {
	if lines := c.console.lines(consoleLines); lines != "" {
		return quote.With(err, "; its console said:\n"+lines)
	}
	return err
}

const consoleLines = 12
