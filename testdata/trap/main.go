// Command trap is a tiny service that breaks where hardening forbids what it does. It does its acts one after the other,
// says which of them failed and why, and then serves: it answers "ok" to whoever connects, until it is stopped. It serves on
// the sockets that it was started with, or else on 127.0.0.1:7777.
//
//	trap [WHEN:]ACT[=ARGUMENT]...
//
// WHEN says when an act is done, and what becomes of its failure, which otherwise ends the service with status 1:
//
//	try:     is logged as an error
//	hush:    is passed over in silence
//	hang:    makes it wait for ever
//	child:   is that of a child, which otherwise stays
//	worker:  is that of a child, which is started again whenever it ends
//	late:    is done half a second after it began to serve
//	reload:  is done at SIGHUP
//	stop:    is done at SIGTERM
//	any:     ACT+ACT...: one of them has to work
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// init keeps the main goroutine on the main thread, whose name is that of the process: from main on it could be another.
func init() { runtime.LockOSThread() }

func main() {
	s := &service{}
	for _, word := range os.Args[1:] {
		if err := s.obey(word); err != nil {
			fatal(word, err)
		}
	}
	if s.once {
		return
	}
	fatal("serve", s.serve())
}

func fatal(what string, err error) {
	fmt.Fprintf(os.Stderr, "trap: %s: %v\n", what, err)
	os.Exit(1)
}

// service is what the words of the command line make of the program.
type service struct {
	once      bool     // ends after its acts
	addresses []string // to listen on
	notifies  bool
	late      []string // acts to do after a while
	reload    []string // acts to do at SIGHUP
	stop      []string // acts to do at SIGTERM
	pidfile   string   // of the daemon to become
	daemon    bool     // tells its parent when it serves
	bus       string
}

// obey does what a word says, or remembers it for later.
func (s *service) obey(word string) error {
	when, rest, found := strings.Cut(word, ":")
	if found && !strings.Contains(when, "=") {
		return s.later(when, rest)
	}
	name, arg, _ := strings.Cut(word, "=")
	switch name {
	case "once":
		s.once = true
	case "listen":
		s.addresses = append(s.addresses, arg)
	case "notify":
		s.notifies = true
	case "fork":
		s.pidfile = arg
	case "ready-fd":
		s.daemon = true
	case "bus":
		s.bus = arg
	default:
		return act(word)
	}
	return nil
}

func (s *service) later(when, word string) error {
	switch when {
	case "try":
		if err := act(word); err != nil {
			fmt.Fprintf(os.Stderr, "<3>trap %d: %s: %v\n", os.Getpid(), word, err)
		}
	case "hush":
		_ = act(word)
	case "hang":
		if act(word) != nil {
			wait()
		}
	case "reload":
		s.reload = append(s.reload, word)
	case "stop":
		s.stop = append(s.stop, word)
	case "child":
		_, err := child("trap-child", word)
		return err
	case "worker":
		go work(word)
	case "late":
		s.late = append(s.late, word)
	case "any":
		var errs []error
		for word := range strings.SplitSeq(word, "+") {
			err := act(word)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	default:
		return fmt.Errorf("no time %q, want try, hush, hang, child, worker, late, reload, stop or any", when)
	}
	return nil
}

// child does an act in a process of another name, which then stays as long as this one.
func child(name, word string) (*exec.Cmd, error) {
	c := exec.Command("/proc/self/exe", "name="+name, word, "wait")
	c.Stderr = os.Stderr
	if _, err := c.StdinPipe(); err != nil {
		return nil, err
	}
	return c, c.Start()
}

// work keeps a child running, as many servers do with their workers.
func work(word string) {
	for {
		c, err := child("trap-worker", word)
		if err != nil {
			fatal(word, err)
		}
		_ = c.Wait()
		time.Sleep(20 * time.Millisecond)
	}
}

// wait waits to be killed.
func wait() {
	signal.Ignore(unix.SIGTERM)
	for {
		_ = unix.Pause()
	}
}
