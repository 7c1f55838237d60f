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

// probeStream connects, sends, and reads until the answer has what is expected. Without an expectation, being accepted
// is enough. The sending side stays open while it reads.
func probeStream(network string, c profiles.StreamCheck) probe {
	return func(ctx context.Context, env Env) (string, error) {
		return talk(ctx, env, network, c)
	}
}

// probeUnix is probeStream over a unix socket of whichever kind the service made.
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

// silence is how long a UDP check without an expectation waits for the kernel to say that nobody listens.
const silence = 200 * time.Millisecond

// probeDatagram sends one datagram, an empty one if there is nothing to send, and reads until an answer has what is
// expected. Without an expectation it fails only where the kernel reports that nobody listens.
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

// dial connects with the deadline of the attempt set on the connection.
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
	// A check that is cancelled must not sit out its timeout.
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return closing{conn, stop}, nil
}

// closing is a connection that stops watching its context when it is closed.
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
	// An empty write would fail where the service has hung up, and be a packet of its own where it has not.
	if c.Send != "" {
		_, err = io.WriteString(conn, c.Send)
	}
	if c.Expect == "" {
		return "accepted", err
	}
	seen, rerr := expect(conn, c) // it may have answered and hung up without listening
	if rerr != nil {
		rerr = errors.Join(rerr, err)
	}
	return seen, rerr
}

// expect reads until the text so far has the pattern. What had come when the reading ended is in the error.
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
