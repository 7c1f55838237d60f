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
	rare int // how many times less often than the others it is asked for, for what asking costs
}

var resources = []resource{
	{ // inotify(7), fs.inotify.max_user_instances
		name: "inotify instances", take: inotify, none: unix.EMFILE,
		held: openFiles("anon_inode:inotify"), many: 64, rare: 1,
	},
	{ // io_setup(2), fs.aio-max-nr; a context can take very many
		name: "asynchronous I/O", take: asynchronousIO, none: unix.EAGAIN,
		held: mappings("/[aio]"), many: 1, rare: 1,
	},
	{ // namespaces(7), /proc/sys/user
		name: "namespaces", take: namespaces, none: unix.ENOSPC,
		held: openFiles("uts:[", "ipc:[", "mnt:[", "cgroup:[", "pid:["), many: 256, rare: 1,
	},
	{ // the same, user.max_user_namespaces; a program has to be started in it
		name: "user namespaces", take: userNamespace, none: unix.ENOSPC,
		held: openFiles("user:["), many: 256, rare: 20,
	},
}

const (
	every    = 500 * time.Millisecond
	patience = 6 // so often nothing is left before a container that is not seen to hold much is taken for the cause
)

// Watch calls exhausted, once, with the name of a resource of which nothing is left: as soon as it is seen that the
// processes hold much of it, since several containers may run, and after three seconds (a minute for user namespaces)
// in any case, since who passes descriptors through a socket can hide them. What this process never had, it does not
// miss. The caller must call stop, which does not wait for exhausted.
func Watch(processes func() []int, exhausted func(name string)) (stop func()) {
	stopped := make(chan struct{})
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		w := watch{had: make([]bool, len(resources)), missed: make([]int, len(resources))}
		for n := 0; ; n++ {
			select {
			case <-stopped:
				return
			case <-tick.C:
			}
			if name := w.missing(n, processes); name != "" {
				exhausted(name)
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(stopped) })
}

// watch is what was seen of the resources, by their order.
type watch struct {
	had    []bool // there was one left
	missed []int  // how often one after the other there was none
}

// missing returns the resource for which the container of the processes has to end; "" if there is none.
func (w watch) missing(n int, processes func() []int) string {
	for i, r := range resources {
		switch {
		case n%r.rare != 0:
		case !errors.Is(r.take(), r.none):
			w.had[i], w.missed[i] = true, 0
		case w.had[i]:
			if w.missed[i]++; w.missed[i] >= patience || r.heldBy(processes()) {
				return r.name
			}
		}
	}
	return ""
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
