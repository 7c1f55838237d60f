package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"temper/profiles"
)

// probeStream connects, sends, and reads until the answer matches what the check expects. If the check expects nothing,
// an accepted connection is enough. It does not close the sending side while it reads.
func probeStream(network string, c profiles.StreamCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		return talk(ctx, env, network, c)
	}
}

// probeUnix is probeStream for a unix socket, of any type.
func probeUnix(c profiles.StreamCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		var err error
		for _, network := range []string{"unix", "unixpacket", "unixgram"} {
			var seen string
			seen, err = talk(ctx, env, network, c)
			if !errors.Is(err, unix.EPROTOTYPE) {
				return seen, err
			}
		}
		return "", err
	}
}

// silence is how long a UDP check that expects no answer waits for an error of the kernel that no socket is bound.
const silence = 200 * time.Millisecond

// probeDatagram sends one datagram, which may be empty, and reads until an answer matches what the check expects. If
// the check expects nothing, it fails only if the kernel reports that no socket is bound.
func probeDatagram(c profiles.StreamCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		conn, err := dial(ctx, env, "udp", c.Address)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(c.Send)); err != nil {
			return "", err
		}
		if c.Expect != "" {
			return expect(conn, c)
		}
		if err := conn.SetReadDeadline(earlier(ctx, time.Now().Add(silence))); err != nil {
			return "", err
		}
		n, err := conn.Read(make([]byte, maxAnswer))
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			return "no refusal", nil
		}
		return fmt.Sprintf("answered %d bytes", n), err
	}
}

// dial connects, and sets the deadline of the attempt on the connection.
func dial(ctx context.Context, env Env, network, address string) (net.Conn, error) {
	conn, err := env.Place.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			conn.Close()
			return nil, err
		}
	}
	// A cancelled check must end at once.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return closing{conn, stop}, nil
}

// closing is a connection that no longer watches its context after it is closed.
type closing struct {
	net.Conn
	stop func() bool
}

func (c closing) Close() error {
	c.stop()
	return c.Conn.Close()
}

func talk(ctx context.Context, env Env, network string, c profiles.StreamCheck) (string, error) {
	conn, err := dial(ctx, env, network, c.Address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	// An empty write would fail after the service has closed the connection, and otherwise send an empty packet.
	if c.Send != "" {
		_, err = io.WriteString(conn, c.Send)
	}
	if c.Expect == "" {
		return "accepted", err
	}
	seen, rerr := expect(conn, c) // the service may answer and close without reading
	if rerr != nil {
		rerr = errors.Join(rerr, err)
	}
	return seen, rerr
}

// expect reads until the text so far matches the pattern. An error shows what was read.
func expect(conn net.Conn, c profiles.StreamCheck) (string, error) {
	var text []byte
	buf := make([]byte, 64<<10)
	for len(text) < maxAnswer {
		n, err := conn.Read(buf)
		text = append(text, buf[:n]...)
		if c.Expect.Match(string(text)) {
			return "answered " + quoted(string(text)), nil
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("want an answer with %s, got %s: %w", show(c.Expect), quoted(string(text)), err)
		}
	}
	return "", want("an answer", c.Expect, string(text))
}

// earlier returns t, or the deadline of ctx if that comes first.
func earlier(ctx context.Context, t time.Time) time.Time {
	if d, ok := ctx.Deadline(); ok && d.Before(t) {
		return d
	}
	return t
}
