// Package shared notices when nothing is left of what Linux counts for the machine's root, or for all, wherever it is
// used: no limit of a container bounds that, and programs of the machine need it too.
//
// A user namespace bounds what each of its users takes (/proc/sys/user in namespaces(7)), but a container has very many
// users, and all that they take counts for who has made the namespace too.
package shared

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A resource is something of which the machine has a number.
type resource struct {
	name string
	take func() error // takes one more and gives it back
	none unix.Errno   // the error of take where there is none left
	held func(pid, enough int) int
	many int // what a container without bad intentions does not hold
}

var resources = []resource{
	{ // inotify(7), fs.inotify.max_user_instances
		name: "inotify instances", take: inotify, none: unix.EMFILE,
		held: openFiles("anon_inode:inotify"), many: 64,
	},
	{ // io_setup(2), fs.aio-max-nr; a context can take very many
		name: "asynchronous I/O", take: asynchronousIO, none: unix.EAGAIN,
		held: mappings("/[aio]"), many: 1,
	},
	{ // namespaces(7), /proc/sys/user
		name: "namespaces", take: namespaces, none: unix.ENOSPC,
		held: openFiles("uts:[", "ipc:[", "mnt:[", "cgroup:[", "pid:["), many: 256,
	},
	{ // the same, user.max_user_namespaces
		name: "user namespaces", take: userNamespace, none: unix.ENOSPC,
		held: openFiles("user:["), many: 256,
	},
}

const (
	every    = 500 * time.Millisecond
	patience = 6 // so often nothing is left before a container that is not seen to hold much is taken for the cause
)

// Watch calls exhausted, once, with the name of a resource of which nothing is left: as soon as it is seen that the
// processes hold much of it, since several containers may run, and after three seconds in any case, since who passes
// descriptors through a socket can hide them. What is used up already, or cannot be asked for, is not watched. The
// caller must call stop, which does not wait for exhausted.
func Watch(processes func() []int, exhausted func(name string)) (stop func()) {
	stopped := make(chan struct{})
	watched := available()
	times := make([]int, len(watched))
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stopped:
				return
			case <-tick.C:
			}
			for i, r := range watched {
				if !errors.Is(r.take(), r.none) {
					times[i] = 0
					continue
				}
				if times[i]++; times[i] >= patience || r.heldBy(processes()) {
					exhausted(r.name)
					return
				}
			}
		}
	}()
	return sync.OnceFunc(func() { close(stopped) })
}

// available are the resources of which this process can take one.
func available() (list []resource) {
	for _, r := range resources {
		if r.take() == nil {
			list = append(list, r)
		}
	}
	return list
}

// heldBy reports whether processes are seen to hold much of the resource.
func (r resource) heldBy(processes []int) bool {
	n := 0
	for _, pid := range processes {
		if n += r.held(pid, r.many-n); n >= r.many {
			return true
		}
	}
	return false
}
