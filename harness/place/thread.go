package place

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onOwnThread runs f on an operating system thread that nothing else uses and that ends with f, so that f may move it
// to other namespaces. It is never the main thread: that one stands for the whole process in /proc/PID, and Go does not
// end it.
func onOwnThread(f func()) {
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		done := make(chan struct{})
		onOwnThread(func() { defer close(done); f() })
		<-done
		runtime.UnlockOSThread()
	}()
}
