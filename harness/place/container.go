package place

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/place/cgroup"
	"temper/harness/place/network"
	"temper/harness/place/nspawn"
	"temper/harness/place/owner"
	"temper/harness/place/shared"
	"temper/harness/place/users"
	"temper/internal/hint"
)

// container is what a place of the kind "container" runs in.
type container struct {
	Options
	*nspawn.Container
	group   *cgroup.Group
	users   users.Range
	network *network.Network // nil until the container has its own network namespace, and where there is none to be had
	// exhausted is what the container used up of the whole machine's, for which it was ended; nil where it was not.
	exhausted atomic.Pointer[string]
	unwatch   func()
}

// ErrUnavailable is wrapped by the error of [Container] if this machine cannot boot any container.
var ErrUnavailable = nspawn.ErrUnavailable

// Available returns why this machine cannot boot any container, as far as that is known before one is booted. Without
// root it knows less.
func Available() error {
	if err := nspawn.Installed(); err != nil {
		return fmt.Errorf("cannot prove here: %w", err)
	}
	return cannotProve(users.Available())
}

const defaultTimeout = 3 * time.Minute

// Container boots a copy of o.Image and returns when its D-Bus answers and its unit is active. The place lives until
// [Place.Close] or until ctx ends. If the place does not boot in time, the error has the last lines of its console, and
// nothing of the place remains. The error has a hint if the user can solve the problem.
func Container(ctx context.Context, o Options) (*Place, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	boot, cancel := context.WithTimeoutCause(ctx, o.Timeout, fmt.Errorf("did not come up within %s", o.Timeout))
	defer cancel()
	c, err := startContainer(boot, o)
	if err != nil {
		return nil, fmt.Errorf("boot %s: %w", o.Image, err)
	}
	p, err := c.awaitBoot(boot)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("boot %s: %w", o.Image, err), c.end())
	}
	end := sync.OnceValue(func() error { p.disconnect(); return c.end() })
	stop := context.AfterFunc(ctx, func() { _ = end() }) // a later Close returns its error
	p.close = func() error { stop(); return end() }
	return p, nil
}

var validID = regexp.MustCompile(`^[a-z0-9]{1,16}$`)

// complete fills in what o leaves open and checks what can be checked before anything is started.
func (o *Options) complete() error {
	if o.ID == "" {
		o.ID = strings.ToLower(rand.Text()[:8])
	}
	if !validID.MatchString(o.ID) {
		return fmt.Errorf("place id %q: want 1 to 16 lower-case letters and digits", o.ID)
	}
	if unix.Geteuid() != 0 {
		return hint.With(errors.New("only root can boot a container"), "run it with sudo")
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Image == "" {
		o.Image = "/"
	}
	path, err := filepath.Abs(o.Image)
	if err != nil {
		return err
	}
	o.Image = path
	return nspawn.Check(path)
}

// bounds are the users and the limits of the container.
func (o Options) bounds() (users.Range, Limits, error) {
	if o.Trusted {
		return users.Range{}, Limits{}, nil
	}
	if err := users.Available(); err != nil {
		return users.Range{}, Limits{}, err
	}
	limits, err := complete(o.Limits)
	if err != nil {
		return users.Range{}, limits, err
	}
	own, err := users.Choose()
	return own, limits, err
}

// cannotProve adds to an error that this machine cannot confine an untrusted root.
func cannotProve(err error) error {
	if errors.Is(err, users.ErrNoNamespace) || errors.Is(err, cgroup.ErrNoLimits) {
		return hint.With(fmt.Errorf("cannot prove here: %w", unavailable{err}),
			"if you trust the service as you trust root: temper prove --trusted UNIT")
	}
	return err
}

// unavailable makes an error one of [ErrUnavailable].
type unavailable struct{ error }

func (u unavailable) Unwrap() error { return u.error }

func (unavailable) Is(target error) bool { return target == ErrUnavailable }

// hostnameOf returns the host name of an image; its own /etc/hostname comes before it.
func hostnameOf(image string) string {
	if name, err := os.Hostname(); err == nil && image == "/" && validHostname.MatchString(name) {
		return name
	}
	return "localhost"
}

var validHostname = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$`)

// startContainer makes the cgroup and starts systemd-nspawn in it.
func startContainer(ctx context.Context, o Options) (*container, error) {
	name, err := owner.Name("temper", o.ID)
	if err != nil {
		return nil, err
	}
	own, limits, err := o.bounds()
	if err != nil {
		return nil, cannotProve(err)
	}
	group, err := cgroup.New(ctx, name, limits)
	if err != nil {
		return nil, cannotProve(err)
	}
	files := append([]File{{Name: "/etc/resolv.conf", Data: []byte(network.ResolvConf)}}, o.Files...)
	started, err := nspawn.Start(nspawn.Config{
		Image: o.Image, ID: o.ID, Unit: o.Unit, Args: o.Args, Hostname: hostnameOf(o.Image), Files: files, Log: o.Log,
		Users:    own,
		CgroupFD: group.FD(), JoinCgroups: group.Join, Memory: limits.Memory / 4 * 3,
	})
	group.Occupied()
	if err != nil {
		return nil, errors.Join(cannotProve(err), group.Remove())
	}
	c := &container{Options: o, Container: started, group: group, users: own, unwatch: func() {}}
	if own.Private() {
		c.unwatch = shared.Watch(group.Processes, func(name string) { c.exhausted.Store(&name); c.Kill() })
	}
	return c, nil
}

// end kills the container and removes its cgroup.
func (c *container) end() error {
	c.unwatch()
	c.Kill()
	return errors.Join(c.network.Close(), c.group.Remove())
}

// ended returns why a container has ended.
func (c *container) ended() error {
	err := errors.New("the container has ended")
	if name := c.exhausted.Load(); name != nil {
		return fmt.Errorf("%w: it was ended when this machine had no %s left for its own programs", err, *name)
	}
	if exit := c.Err(); exit != nil {
		err = fmt.Errorf("%w: %w", err, exit)
	}
	return c.WithConsole(err)
}
