package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// serve answers until it is stopped.
func (s *service) serve() error {
	if s.pidfile != "" {
		return s.fork()
	}
	sockets, err := s.listen()
	if err != nil {
		return err
	}
	for _, l := range sockets {
		go serveOn(l)
	}
	if s.bus != "" {
		if err := own(s.bus); err != nil {
			return err
		}
	}
	if s.daemon {
		if _, err := os.NewFile(3, "pipe").Write([]byte{1}); err != nil {
			return err
		}
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, unix.SIGHUP, unix.SIGTERM)
	if s.notifies {
		if err := notify("READY=1"); err != nil {
			return err
		}
	}
	time.AfterFunc(500*time.Millisecond, func() {
		for _, word := range s.late {
			if err := s.obey(word); err != nil {
				fatal(word, err)
			}
		}
	})
	for got := range signals {
		if err := s.on(got); err != nil {
			return err
		}
	}
	return nil
}

// on does the acts of a signal. Status 0 is that of a service that was stopped and had nothing to complain about.
func (s *service) on(got os.Signal) error {
	if got == unix.SIGTERM {
		for _, word := range s.stop {
			if err := s.obey(word); err != nil {
				return err
			}
		}
		os.Exit(0)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return err
	}
	if s.notifies {
		if err := notify(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)); err != nil {
			return err
		}
	}
	for _, word := range s.reload {
		if err := s.obey(word); err != nil {
			return err
		}
	}
	if s.notifies {
		return notify("READY=1")
	}
	return nil
}

// listen returns the sockets that systemd passed, sd_listen_fds(3), or opens its own.
func (s *service) listen() ([]net.Listener, error) {
	var sockets []net.Listener
	if n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS")); n > 0 && os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getpid()) {
		for fd := 3; fd < 3+n; fd++ {
			l, err := net.FileListener(os.NewFile(uintptr(fd), ""))
			if err != nil {
				return nil, fmt.Errorf("descriptor %d: %w", fd, err)
			}
			sockets = append(sockets, l)
		}
		return sockets, nil
	}
	addresses := s.addresses
	if len(addresses) == 0 {
		addresses = []string{"127.0.0.1:7777"}
	}
	for _, a := range addresses {
		l, err := listenOn(a)
		if err != nil {
			return nil, err
		}
		sockets = append(sockets, l)
	}
	return sockets, nil
}

func listenOn(address string) (net.Listener, error) {
	if strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@") {
		_ = os.Remove(address) // of an earlier run
		return net.Listen("unix", address)
	}
	return net.Listen("tcp", address)
}

func serveOn(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			fatal("accept", err)
		}
		fmt.Fprintln(c, "ok")
		c.Close()
	}
}

// fork starts a daemon, waits until it serves, and ends. The daemon is this program without the word.
func (s *service) fork() error {
	var args []string
	for _, word := range os.Args[1:] {
		if !strings.HasPrefix(word, "fork=") {
			args = append(args, word)
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	c := exec.Command("/proc/self/exe", append(args, "ready-fd")...)
	c.Stderr, c.ExtraFiles = os.Stderr, []*os.File{write}
	if err := c.Start(); err != nil {
		return err
	}
	write.Close()
	if n, err := read.Read(make([]byte, 1)); n != 1 {
		return errors.Join(errors.New("the daemon did not come up"), err)
	}
	if err := os.WriteFile(s.pidfile, fmt.Appendln(nil, c.Process.Pid), 0o644); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

// notify tells systemd something, as sd_notify(3).
func notify(text string) error {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return errors.New("no NOTIFY_SOCKET")
	}
	c, err := net.Dial("unixgram", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(text))
	return err
}

// own takes a name on the system bus.
func own(name string) error {
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		return err
	}
	reply, err := conn.RequestName(name, dbus.NameFlagDoNotQueue)
	if err == nil && reply != dbus.RequestNameReplyPrimaryOwner {
		err = fmt.Errorf("%s is taken", name)
	}
	return err
}
