// Package place provides a running systemd for trials of services.
//
// Call [Container] for a throwaway boot, in systemd-nspawn, of a copy of this machine or of a given root directory;
// call [Host] for the machine's own manager. Either way the caller stays outside: it talks to the manager through
// [Place.Manager], reads files below [Place.Root], connects to services through [Place.Dial] and runs commands with
// [Place.Run].
//
// A container promises to leave nothing behind. What is written in it goes to memory; its mounts and processes live in
// namespaces that die with the calling process, even by kill -9. Only an empty cgroup directory can outlive that, and
// [RemoveLeftovers] removes it.
//
// Limits: services go on changing files of this machine while it is copied, so a copy is like a backup of a running
// machine; two mounts of the same directory become two copies. A container has no real devices, and a private network
// that leads nowhere; see package network. The kernel is this machine's, and a container may not change its time,
// modules, and sysctls outside the network.
package place

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"temper/harness/place/hostcopy"
	"temper/harness/place/namespace"
	"temper/harness/place/nspawn"
	"temper/harness/place/users"
	"temper/internal/host"
	"temper/internal/systemd"
)

// Options says what a container is a copy of. The zero value is a copy of this machine.
type Options struct {
	// Image is the root directory to copy; "" or "/" is this machine with every file system mounted below it.
	Image string
	// ID distinguishes the places of this process: 1 to 16 lower-case letters and digits; "" is a random one.
	ID string
	// Unit is the unit to boot. "" boots only sysinit.target and D-Bus, with temper=0 on the kernel command line, which
	// turns the generator of this project off. "default.target" boots as the machine would.
	Unit string
	// Args are more words of the place's kernel command line.
	Args []string
	// Files are written into the copy before it boots.
	Files []File
	// Timeout bounds the boot; 0 is three minutes.
	Timeout time.Duration
	// Trusted gives the root of the place the rights of the machine's root: the place has no user namespace. Then
	// systemd can enforce every directive.
	Trusted bool
	// Limits bound what an untrusted place can take from the machine.
	Limits Limits
	// Log, if not nil, receives the console of the place and what was left out of the copy.
	Log io.Writer
}

// File is a file of a place. Its parent directories are made as needed.
type File = nspawn.File

// Place is a running systemd. Its methods can be called at the same time from several goroutines.
type Place struct {
	kind    string
	manager *systemd.Client
	root    host.Root
	leader  int
	cgroup  string
	rootFD  int // what root is a descriptor of, -1 for the host
	net     int // descriptor of its network namespace, -1 if that is ours
	version int
	release string
	dead    <-chan struct{} // closed once it does not run any more; nil for the host
	box     *container      // nil for the host
	users   users.Range     // the users of the place
	close   func() error

	mu     sync.Mutex
	copies []*hostcopy.Copies // over directories of the host
}

// Kind is "container" or "host".
func (p *Place) Kind() string { return p.kind }

// Manager is the running systemd of the place. [Place.Close] ends the connection.
func (p *Place) Manager() *systemd.Client { return p.manager }

// Bus is a connection to the system bus of the place. [Place.Close] closes it.
func (p *Place) Bus() *dbus.Conn { return p.manager.Bus() }

// Root is the file tree of the place, what is mounted in it included, for as long as this process lives. After
// [Place.Close] every access through it fails.
func (p *Place) Root() host.Root { return p.root }

// Leader is the process id of the place's PID 1 as seen from here.
func (p *Place) Leader() int { return p.leader }

// Cgroup is the directory of the place's cgroup2 tree as seen from here: a unit's cgroup is Cgroup() followed by its
// ControlGroup property.
func (p *Place) Cgroup() string { return p.cgroup }

// SystemdVersion is the major version of the running manager, such as 257.
func (p *Place) SystemdVersion() int { return p.version }

// KernelRelease is the release of the running kernel, such as "6.12.1-amd64".
func (p *Place) KernelRelease() string { return p.release }

// Done is closed when the place does not run any more: closed, killed, or shut down from inside. Nil for the host.
func (p *Place) Done() <-chan struct{} { return p.dead }

// Err returns nil while the place runs, and otherwise why it ended, with the last lines of its console.
func (p *Place) Err() error {
	if p.box == nil {
		return nil
	}
	select {
	case <-p.dead:
		return p.box.ended()
	default:
		return nil
	}
}

// orEnded returns why the place has ended where it ends within a second, since that is the reason for err then: its PID
// 1 has no mounts any more before anybody knows that it has died.
func (p *Place) orEnded(err error) error {
	if err == nil || p.box == nil {
		return err
	}
	select {
	case <-p.dead:
		return p.Err()
	case <-time.After(time.Second):
		return err
	}
}

// IDInside returns what the place calls a user or group that a file below its root has.
func (p *Place) IDInside(id uint32) uint32 { return p.users.Inside(id) }

// asRoot calls f on a thread that acts as the root of the place: files that f makes belong to that root, and the peer
// of a connection sees that root.
func (p *Place) asRoot(f func() error) error { return namespace.AsUser(p.users.First, f) }

// Close ends the place and removes every trace of it. It can be called again and then returns the same.
func (p *Place) Close() error { return p.close() }

// attach reads the versions of systemd and of the kernel.
func (p *Place) attach(ctx context.Context) error {
	var err error
	if p.version, err = p.manager.Version(ctx); err != nil {
		return err
	}
	p.release, err = host.Root{}.KernelRelease()
	return err
}

// disconnect closes what p has open of the place.
func (p *Place) disconnect() {
	if p.manager != nil {
		p.manager.Close()
	}
	closeButKeepNumber(p.net)
	closeButKeepNumber(p.rootFD)
}

// closeButKeepNumber closes a descriptor and keeps its number occupied by /dev/null: a later access through the path of
// a closed place must fail, and not reach the next file that is opened.
func closeButKeepNumber(fd int) {
	if fd < 0 {
		return
	}
	nothing, err := unix.Open("/dev/null", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return // no descriptors left; the container's memory stays until this process ends
	}
	_ = unix.Dup3(nothing, fd, unix.O_CLOEXEC)
	_ = unix.Close(nothing)
}

// String names the place in messages.
func (p *Place) String() string { return fmt.Sprintf("%s (systemd %d)", p.kind, p.version) }
