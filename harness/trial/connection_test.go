package trial

import (
	"testing"

	"temper/internal/systemd"
)

// TestListens: a client connects to the first address of a kind that accepts clients, and to a loopback address instead
// of the unspecified one.
func TestListens(t *testing.T) {
	for name, tc := range map[string]struct {
		listen        [][]any
		network, want string
	}{
		"nothing":      {},
		"datagrams":    {[][]any{{"Datagram", "/run/a"}}, "", ""},
		"a path":       {[][]any{{"Datagram", "/run/a"}, {"Stream", "/run/b"}}, "unix", "/run/b"},
		"abstract":     {[][]any{{"Stream", "@c"}}, "unix", "@c"},
		"packets":      {[][]any{{"SequentialPacket", "/run/d"}}, "unixpacket", "/run/d"},
		"any address":  {[][]any{{"Stream", "0.0.0.0:80"}}, "tcp", "127.0.0.1:80"},
		"any IPv6":     {[][]any{{"Stream", "[::]:80"}}, "tcp", "[::1]:80"},
		"one address":  {[][]any{{"Stream", "10.1.2.3:80"}}, "tcp", "10.1.2.3:80"},
		"vsock":        {[][]any{{"Stream", "vsock:2:80"}}, "", ""},
		"then another": {[][]any{{"Stream", "vsock:2:80"}, {"Stream", "127.0.0.2:81"}}, "tcp", "127.0.0.2:81"},
	} {
		t.Run(name, func(t *testing.T) {
			network, address := listens(systemd.Properties{"Listen": tc.listen})
			if network != tc.network || address != tc.want {
				t.Errorf("%q %q, want %q %q", network, address, tc.network, tc.want)
			}
		})
	}
}

// TestServed: an instance that was started for a connection and has ended is not waited for.
func TestServed(t *testing.T) {
	socket := func(accepted, open uint32) systemd.Properties {
		return systemd.Properties{"NAccepted": accepted, "NConnections": open}
	}
	for name, tc := range map[string]struct {
		now  systemd.Properties
		want bool
	}{
		"not accepted yet": {socket(3, 0), false},
		"it runs":          {socket(4, 1), false},
		"it has ended":     {socket(4, 0), true},
	} {
		if got := served(socket(3, 0), tc.now); got != tc.want {
			t.Errorf("%s: %t, want %t", name, got, tc.want)
		}
	}
}
