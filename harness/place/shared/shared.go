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
	name  string
	take  func() error // takes as many as a program needs and gives them back
	none  unix.Errno   // the error of take where they are not there
	link  link         // how a process shows that it has one; the zero value where it does not
	many  int          // what a container without bad intentions does not hold
	every time.Duration
}

// Asking costs some: a thread for a namespace, a program for a user namespace. Nearly every unit that systemd hardens
// needs a mount namespace.
const (
	often  = 500 * time.Millisecond
	seldom = 10 * time.Second
)

var resources = []resource{
	// inotify(7), fs.inotify.max_user_instances and max_user_watches; one instance can have all watches
	{"inotify instances", inotify, unix.EMFILE, link{"fd", "anon_inode:inotify"}, 64, often},
	{"inotify watches", inotifyWatches, unix.ENOSPC, link{"fd", "anon_inode:inotify"}, 64, often},
	// io_setup(2), fs.aio-max-nr; a context can take very many
	{"asynchronous I/O", asynchronousIO, unix.EAGAIN, link{"map_files", "/[aio]"}, 16, often},
	// RLIMIT_SIGPENDING in getrlimit(2) counts for the machine's root since Linux 5.14
	{"pending signals", pendingSignal, unix.EAGAIN, link{}, 0, often},
	// namespaces(7), /proc/sys/user
	{"mount namespaces", namespaceOf(unix.CLONE_NEWNS), unix.ENOSPC, link{"fd", "mnt:["}, 256, often},
	{"cgroup namespaces", namespaceOf(unix.CLONE_NEWCGROUP), unix.ENOSPC, link{"fd", "cgroup:["}, 256, seldom},
	{"pid namespaces", namespaceOf(unix.CLONE_NEWPID), unix.ENOSPC, link{"fd", "pid:["}, 256, seldom},
	{"time namespaces", namespaceOf(unix.CLONE_NEWTIME), unix.ENOSPC, link{"fd", "time:["}, 256, seldom},
	{"uts namespaces", namespaceOf(unix.CLONE_NEWUTS), unix.ENOSPC, link{"fd", "uts:["}, 256, seldom},
	{"ipc namespaces", namespaceOf(unix.CLONE_NEWIPC), unix.ENOSPC, link{"fd", "ipc:["}, 256, seldom},
	{"network namespaces", namespaceOf(unix.CLONE_NEWNET), unix.ENOSPC, link{"fd", "net:["}, 256, seldom},
	{"user namespaces", userNamespace, unix.ENOSPC, link{"fd", "user:["}, 256, seldom},
}

// Watch calls exhausted, once, with the name of a resource of which nothing is left: as soon as it is seen that the
// processes hold much of it, and some seconds later in any case, since who passes descriptors through a socket can hide
// them. Several containers may run: the one that is seen to hold much ends before the others. What this process never
// had, it does not miss. The caller must call stop, which does not wait for exhausted.
func Watch(processes func() []int, exhausted func(name string)) (stop func()) {
	stopped := make(chan struct{})
	stop = sync.OnceFunc(func() { close(stopped) })
	var once sync.Once
	end := func(name string) {
		select {
		case <-stopped:
		default:
			once.Do(func() { stop(); exhausted(name) })
		}
	}
	for _, r := range resources { // each by itself: the kernel may let one wait
		go r.watch(stopped, processes, func() { end(r.name) })
	}
	return stop
}

// watch asks for the resource until it is stopped or calls end.
func (r resource) watch(stopped <-chan struct{}, processes func() []int, end func()) {
	var l lack
	var looking sync.Mutex
	for last, next := time.Now(), often; ; {
		select {
		case <-stopped:
			return
		case <-time.After(next):
		}
		err := r.take()
		none := errors.Is(err, r.none)
		since := time.Since(last)
		last, next = last.Add(since), l.asked(none, err == nil, since, r.every)
		if l.missed >= patience+r.every { // whoever watches another container has looked by then
			end()
			return
		}
		if l.missed > 0 && none && looking.TryLock() {
			go func() { // patience goes on meanwhile
				defer looking.Unlock()
				if r.heldBy(processes()) {
					end()
				}
			}()
		}
	}
}

// lack is what asking for a resource has told.
type lack struct {
	had    bool          // it was there once
	missed time.Duration // how long it was not there; less again, slowly, while it is
}

const (
	patience    = 3 * time.Second
	mostCounted = time.Second // of the time between two askings, in which this process may not have run
)

// asked counts the time since the last asking and returns when to ask again. An asking that failed otherwise tells
// nothing.
func (l *lack) asked(none, there bool, since, every time.Duration) (next time.Duration) {
	since = min(since, mostCounted)
	switch {
	case there:
		l.had, l.missed = true, max(0, l.missed-since/4)
	case none && l.had:
		l.missed += since
	}
	if l.missed > 0 {
		return often
	}
	return every
}
