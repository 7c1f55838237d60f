package trial_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/clone"
	"temper/harness/place"
	"temper/harness/trial"
	"temper/internal/testroot"
	"temper/internal/unit"
	"temper/profiles"
)

// attempts is a program that tries what BPF programs can forbid, and logs one word for each that it could do.
const attempts = `#!/usr/bin/perl
use strict; use Socket qw(:DEFAULT IN6ADDR_LOOPBACK pack_sockaddr_in6);
$| = 1;
sub bound { my ($family, $type, $port) = @_;
	socket(my $s, $family, $type, 0) or return;
	setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
	my $to = $family == AF_INET ? pack_sockaddr_in($port, INADDR_LOOPBACK) : pack_sockaddr_in6($port, IN6ADDR_LOOPBACK);
	return bind($s, $to) ? $s : undef }
for my $port (7000, 7001, 7002, 0) {
	print "bind-tcp4-$port\n" if bound(AF_INET, SOCK_STREAM, $port);
	print "bind-udp4-$port\n" if bound(AF_INET, SOCK_DGRAM, $port);
	print "bind-tcp6-$port\n" if bound(AF_INET6, SOCK_STREAM, $port);
}
sub exchanged { my ($to, $family) = @_;
	socket(my $r, $family, SOCK_DGRAM, 0); bind($r, $to) or return;
	socket(my $s, $family, SOCK_DGRAM, 0); send($s, "x", 0, getsockname($r)) or return;
	my $bits = ''; vec($bits, fileno($r), 1) = 1;
	return select($bits, undef, undef, 0.2) }
for my $host ("127.0.0.1", "127.0.0.2", "127.1.0.0") {
	print "packet-$host\n" if exchanged(pack_sockaddr_in(0, inet_aton($host)), AF_INET);
}
print "packet-6\n" if exchanged(pack_sockaddr_in6(0, IN6ADDR_LOOPBACK), AF_INET6);
for my $device (qw(null zero full random urandom ptmx)) {
	for my $mode ("<", ">", "+<") {
		print "open-$device-$mode\n" if open(my $f, $mode, "/dev/$device");
	}
}
print "end\n";
`

// restricted are settings of units by what they forbid, as systemd.resource-control(5) has them.
var restricted = map[string]string{
	"nothing":                       "",
	"all addresses":                 "IPAddressDeny=any",
	"all addresses but two":         "IPAddressDeny=any\nIPAddressAllow=127.0.0.0/31",
	"one address":                   "IPAddressDeny=127.0.0.2",
	"a network and IPv6":            "IPAddressDeny=127.0.0.0/16 ::/0",
	"all ports":                     "SocketBindDeny=any",
	"all ports but one":             "SocketBindDeny=any\nSocketBindAllow=tcp:7001",
	"all ports but three":           "SocketBindDeny=any\nSocketBindAllow=ipv4:udp:7000-7002\nSocketBindAllow=ipv6",
	"IPv6 ports":                    "SocketBindDeny=ipv6",
	"two ports":                     "SocketBindDeny=7000-7001",
	"other interfaces":              "RestrictNetworkInterfaces=lo",
	"the loopback interface":        "RestrictNetworkInterfaces=~lo",
	"interfaces that are not there": "RestrictNetworkInterfaces=eth7",
	"most devices":                  "DevicePolicy=closed",
	"all devices":                   "DevicePolicy=strict",
	"all devices but one":           "DevicePolicy=strict\nDeviceAllow=/dev/null r",
	"devices but those of a driver": "DevicePolicy=strict\nDeviceAllow=char-mem w",
	"devices by an exception":       "DeviceAllow=/dev/zero r",
	"devices and addresses":         "PrivateDevices=yes\nIPAddressDeny=127.0.0.1",
	"what its slices do":            "Slice=closed-inner.slice",
}

// unnoticed are those that forbid nothing that a service finds in a place.
var unnoticed = []string{"nothing", "other interfaces", "most devices", "devices by an exception"}

// TestSystemdAttachedRules: in a place whose root is not trusted services are refused what systemd refuses them in one
// where it may attach BPF programs itself, from their first process on, and again after a restart. It does not matter
// whether the service or its slice restricts them.
func TestSystemdAttachedRules(t *testing.T) {
	for _, tree := range []string{"bookworm", "trixie", "sid"} {
		t.Run(tree, func(t *testing.T) {
			t.Parallel()
			bySystemd, byTemper := whatRemains(t, tree, true), whatRemains(t, tree, false)
			for what, forbids := range restricted {
				if diff := cmp.Diff(bySystemd[what], byTemper[what]); diff != "" {
					t.Errorf("%s (-systemd +temper):\n%s", forbids, diff)
				}
				enforced := testroot.Versions[tree] > 252 || !strings.Contains(forbids, "SocketBind") &&
					!strings.Contains(forbids, "RestrictNetwork") // Debian 12 has its systemd without these programs
				changes := enforced && !slices.Contains(unnoticed, what)
				if got := !slices.Equal(byTemper[what], byTemper["nothing"]); got != changes {
					t.Errorf("%s: forbids anything: %t", forbids, got)
				}
			}
		})
	}
}

// whatRemains is what a service can do, twice, under each of the restrictions.
func whatRemains(t *testing.T, tree string, trusted bool) map[string][]string {
	files := []place.File{{Name: "/usr/local/bin/attempts", Data: []byte(attempts), Mode: 0o755}}
	files = append(files, place.File{
		Name: "/etc/systemd/system/system.slice.d/net.conf",
		Data: []byte("[Slice]\nIPAddressDeny=127.1.0.0\nSocketBindDeny=ipv4:udp:7002\n"),
	})
	files = append(files, place.File{
		Name: "/etc/systemd/system/closed.slice",
		Data: []byte("[Slice]\nIPAddressDeny=any\nIPAddressAllow=127.0.0.2\n"),
	})
	i, names := 0, map[string]string{}
	for what, settings := range restricted {
		names[what] = fmt.Sprintf("attempts-%d.service", i)
		files = append(files, place.File{
			Name: "/etc/systemd/system/" + names[what],
			Data: fmt.Appendf(nil, "[Service]\nType=oneshot\nRemainAfterExit=yes\nStandardInputText=x\n"+
				"ExecStart=/usr/local/bin/attempts\n%s\n", settings),
		})
		i++
	}
	where, err := place.Container(t.Context(), place.Options{
		Image: testroot.Path(t, tree), Files: files, Trusted: trusted,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer where.Close()
	remains := map[string][]string{}
	for what, name := range names {
		loader := &unit.Loader{Root: where.Root(), Version: where.SystemdVersion()}
		u, err := loader.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := trial.Launcher{
			Place: where, Stem: "temper-trial-test", Clone: clone.Clone{Unit: u, NoDevices: true, OwnSlice: !trusted},
			Profile: &profiles.Profile{Prove: profiles.Prove{Timeout: 20 * time.Second, Restart: true}},
		}.Launch(t.Context(), trial.Request{Lasting: nothing{}})
		if err != nil || !r.OK {
			t.Fatalf("%s: %v %v %q", restricted[what], err, r.Failures, r.Log)
		}
		first, second := halves(r.Log)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("%s (-first +second start):\n%s", restricted[what], diff)
		}
		remains[what] = first
	}
	return remains
}

// halves splits what two runs have logged.
func halves(log []string) (first, second []string) {
	i := slices.Index(log, "end")
	return log[:i], log[i+1 : len(log)-1]
}

// nothing is what a launch leaves.
type nothing struct{}

func (nothing) Made(map[uint32]bool) ([]string, error) { return nil, nil }
