// Package namespace does things in the namespaces of other processes; namespaces(7).
//
// Namespaces belong to a thread, so each function here works on a thread of its own: start with [OnOwnThread].
package namespace

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnOwnThread runs f on an operating system thread that nothing else uses and that ends with f, so that f may move it
// to other namespaces. It does not wait for f. The thread is never the main one: that one stands for the whole process
// in /proc/PID, and Go does not end it.
func OnOwnThread(f func()) {
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		done := make(chan struct{})
		OnOwnThread(func() { defer close(done); f() })
		<-done
		runtime.UnlockOSThread()
	}()
}
