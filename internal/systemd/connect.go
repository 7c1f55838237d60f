package systemd

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

const (
	// SystemBus is the socket of the system bus.
	SystemBus = "/run/dbus/system_bus_socket"
	// privateSocket is the socket on which PID 1 itself accepts connections of root.
	privateSocket = "/run/systemd/private"
)

// Dial opens a stream to a bus, or to the manager itself.
type Dial func(ctx context.Context) (net.Conn, error)

// Socket dials a unix socket.
func Socket(path string) Dial {
	return func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
}

// Connect connects to the manager on a bus. It calls dial twice, since the signals of the manager have a connection of
// their own.
func Connect(ctx context.Context, dial Dial) (*Client, error) {
	return connect(ctx, dial, (*dbus.Conn).Hello)
}

// ConnectSystemBus connects to the manager of this machine, as any user.
func ConnectSystemBus(ctx context.Context) (*Client, error) { return Connect(ctx, Socket(SystemBus)) }

// ConnectUserBus connects to the user manager of the calling user.
func ConnectUserBus(ctx context.Context) (*Client, error) {
	run := os.Getenv("XDG_RUNTIME_DIR")
	if run == "" {
		return nil, errors.New("XDG_RUNTIME_DIR is not set: no manager of a user is known")
	}
	return Connect(ctx, Socket(filepath.Join(run, "bus")))
}

// ConnectPrivate connects directly to PID 1 of this machine, which works for root even if no bus runs.
func ConnectPrivate(ctx context.Context) (*Client, error) {
	return connect(ctx, Socket(privateSocket), func(*dbus.Conn) error { return nil }) // no bus needs a Hello
}

// connect gives up when ctx ends. After it has returned, ctx does not affect the connection. go-systemd dials twice:
// first for calls, then for signals.
func connect(ctx context.Context, dial Dial, greet func(*dbus.Conn) error) (*Client, error) {
	limited, cancel := context.WithTimeoutCause(ctx, answerWithin, ErrNoAnswer)
	defer cancel()
	var conns []*dbus.Conn
	var stops []func() bool
	api, err := sdbus.NewConnection(func() (*dbus.Conn, error) {
		stream, err := dial(limited)
		if err != nil {
			return nil, err
		}
		options := []dbus.ConnOption{}
		if len(conns) > 0 {
			options = append(options, dbus.WithSignalHandler(newJobSignals(conns[0])))
		}
		conn, err := dbus.NewConn(newStream(stream, answerWithin), options...)
		if err != nil {
			return nil, errors.Join(err, stream.Close())
		}
		stops = append(stops, context.AfterFunc(limited, func() { _ = conn.Close() }))
		conns = append(conns, conn)
		if err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))}); err == nil {
			err = greet(conn)
		}
		if err != nil {
			_ = conn.Close()
		}
		return conn, err
	})
	for _, stop := range stops {
		stop()
	}
	if limited.Err() != nil {
		err = context.Cause(limited)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		if api != nil {
			api.Close()
		}
		return nil, err
	}
	return &Client{api: api, bus: conns[0], signals: conns[1], answer: answerWithin}, nil
}
