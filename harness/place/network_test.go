package place_test

import (
	"strings"
	"testing"

	"temper/harness/place"
	"temper/internal/testroot"
)

// networkQuestions are shell commands in a container, each with what it answers. The kernel notices a little later that
// an interface is up, and gives it the address of the link only then: the first two wait for that.
var networkQuestions = []struct{ name, ask, want string }{
	{
		"it is up", "for i in $(seq 100); do grep -x up /sys/class/net/eth0/operstate && break; sleep 0.1; done", "up",
	},
	{
		"the interface has addresses", "for i in $(seq 100); do grep -q fe80.*eth0 /proc/net/if_inet6 && break; " +
			"sleep 0.1; done; awk '$6 == \"eth0\" { print $1, $6 }' /proc/net/if_inet6 | sort",
		"fd000000000001920000000000000002 eth0\nfe80000000000000000000fffe000202 eth0",
	},
	{"there is a default route", "grep -c '^eth0.00000000.010200C0' /proc/net/route", "1"},
	{"names are looked up for families that have an address", "getent ahosts 198.51.100.7 | grep -c STREAM", "1"},
	{
		"the name server knows the name of the machine",
		"getent -s hosts:dns ahostsv4 tried | cut -d ' ' -f 1 | sort -u", "192.0.2.2",
	},
	{"also by IPv6", "getent -s hosts:dns ahostsv6 Tried | cut -d ' ' -f 1 | sort -u", "fd00:0:0:192::2"},
	{"it knows nothing else", "getent -s hosts:dns ahosts example.org; echo $?", "2"},
	{"the machine has its name", "hostname", "tried"},
	{"others are unreachable at once", "timeout 2 bash -c 'echo >/dev/tcp/198.51.100.7/80' 2>&1 | " +
		"grep -o 'Network is unreachable' | head -n 1", "Network is unreachable"},
	{"also by IPv6", "timeout 2 bash -c 'echo >/dev/tcp/2001:db8::7/80' 2>&1 | " +
		"grep -o 'Network is unreachable' | head -n 1", "Network is unreachable"},
	{"the router has no services", "timeout 2 bash -c 'echo >/dev/tcp/192.0.2.1/22' 2>&1 | " +
		"grep -o 'Connection refused' | head -n 1", "Connection refused"},
}

// TestSystemdNetwork: a container has a network as a machine has one, and nothing gets out of it.
func TestSystemdNetwork(t *testing.T) {
	p := container(t, place.Options{
		Image: testroot.Path(t, "trixie"), Files: []place.File{{Name: "/etc/hostname", Data: []byte("tried\n")}},
	})
	for _, q := range networkQuestions {
		if got := strings.TrimSpace(output(t, p, q.ask)); got != q.want {
			t.Errorf("%s: %q, want %q", q.name, got, q.want)
		}
	}
	before := kernelState(t, p)
	if state := kernelState(t, p); len(state) != len(before) {
		t.Errorf("the network changes by itself: %d and %d", len(before), len(state))
	}
}
