package values_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"golang.org/x/sys/unix"

	"temper/internal/values"
)

// old and recent are the versions before and after every change of reading; between names the first of the recent ones
// where it matters.
const (
	old    = 247
	recent = 262
)

func TestParseCapabilityBoundingSet(t *testing.T) {
	all := values.AllCapabilities.String()
	without := func(names ...string) string {
		return (values.AllCapabilities &^ values.CapabilitySet(names...)).String()
	}
	tests := []struct {
		name    string
		values  []string
		version int
		want    string
	}{
		{"unset is everything", nil, 252, all},
		{"empty is nothing", []string{""}, 252, ""},
		{"the first list replaces", []string{"CAP_KILL CAP_CHOWN"}, 252, "CAP_CHOWN CAP_KILL"},
		{"lists add up", []string{"CAP_KILL", "CAP_CHOWN"}, 252, "CAP_CHOWN CAP_KILL"},
		{"a denied list at first leaves the rest", []string{"~CAP_KILL"}, 252, without("CAP_KILL")},
		{"a denied list takes away", []string{"CAP_KILL CAP_CHOWN", "~CAP_KILL"}, 252, "CAP_CHOWN"},
		{"any case, numbers in any base", []string{"cap_kill 0 0x15"}, 252, "CAP_CHOWN CAP_KILL CAP_SYS_ADMIN"},
		{"unknown names are skipped", []string{"CAP_KILL CAP_BOGUS 64 -1"}, 252, "CAP_KILL"},
		{"nothing known replaces by nothing", []string{"CAP_KILL", "CAP_CHOWN,CAP_FOWNER"}, 252, ""},
		{"nothing known, denied, replaces by everything", []string{"CAP_KILL", "~CAP_BOGUS"}, 252, all},
		{"after a bare tilde a list replaces up to 257", []string{"~", "CAP_KILL"}, 257, "CAP_KILL"},
		{"after a bare tilde a list adds from 258", []string{"~", "CAP_KILL"}, 258, all},
		{"quotes", []string{`"CAP_KILL" 'CAP_CHOWN'`}, 252, "CAP_CHOWN CAP_KILL"},
		{"an open quote ends the list up to 252", []string{`CAP_KILL "CAP_CHOWN`}, 252, "CAP_KILL"},
		{"an open quote ends the word later", []string{`CAP_KILL "CAP_CHOWN`}, 257, "CAP_CHOWN CAP_KILL"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := values.ParseCapabilityBoundingSet(tt.values, tt.version).String()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseAmbientCapabilities(t *testing.T) {
	tests := []struct {
		name   string
		values []string
		want   values.CapSet
	}{
		{"unset", nil, 0},
		{"list", []string{"CAP_KILL"}, values.CapabilitySet("CAP_KILL")},
		{"reset", []string{"CAP_KILL", ""}, 0},
		{"a bare tilde is everything", []string{"~"}, ^values.CapSet(0)},
		{"a number without a name", []string{"62"}, 1 << 62},
		{"denied at first", []string{"~CAP_KILL"}, ^values.CapabilitySet("CAP_KILL")},
		{"denied later", []string{"CAP_KILL CAP_CHOWN", "~CAP_KILL"}, values.CapabilitySet("CAP_CHOWN")},
	}
	for _, tt := range tests {
		for _, version := range []int{old, recent} {
			if got := values.ParseAmbientCapabilities(tt.values, version); got != tt.want {
				t.Errorf("%s on %d: got %q, want %q", tt.name, version, got, tt.want)
			}
		}
	}
}

func TestCapabilityNumbers(t *testing.T) {
	names := values.CapabilityNames()
	for number, name := range map[int]string{
		0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 39: "CAP_BPF",
		40: "CAP_CHECKPOINT_RESTORE",
	} {
		if names[number] != name {
			t.Errorf("capability %d: got %s, want %s", number, names[number], name)
		}
	}
	if got := values.AllCapabilities.Names(); !slices.Equal(got, names) {
		t.Errorf("all capabilities are %v, want %v", got, names)
	}
}

func TestParseRestrictAddressFamilies(t *testing.T) {
	tests := []struct {
		name    string
		values  []string
		version int
		set     bool
		allow   bool
		list    string
	}{
		{"unset", nil, 252, false, false, ""},
		{"allow-list", []string{"AF_UNIX AF_INET"}, 252, true, true, "AF_INET AF_UNIX"},
		{"deny-list", []string{"~AF_PACKET"}, 252, true, false, "AF_PACKET"},
		{"aliases in any case", []string{"af_local AF_Route AF_FILE"}, 252, true, true, "AF_NETLINK AF_UNIX"},
		{
			"later lists add and take away",
			[]string{"AF_UNIX AF_INET", "AF_INET6", "~AF_INET"},
			252, true, true,
			"AF_INET6 AF_UNIX",
		},
		{"none", []string{"AF_UNIX", "none"}, 252, true, true, ""},
		{"after none the next decides", []string{"none", "~AF_UNIX"}, 252, true, false, "AF_UNIX"},
		{"none came with 249", []string{"AF_UNIX", "none"}, 247, true, true, "AF_UNIX"},
		{"reset", []string{"AF_UNIX", ""}, 252, false, false, ""},
		{"unknown names are skipped", []string{"AF_BOGUS AF_UNIX"}, 257, true, true, "AF_UNIX"},
		{"unknown names end the line", []string{"AF_INET AF_BOGUS AF_UNIX"}, 262, true, true, "AF_INET"},
		{"only unknown names", []string{"AF_UNIX,AF_INET"}, 252, true, true, ""},
		{"AF_UNSPEC is no name", []string{"~AF_UNSPEC"}, 252, false, false, ""},
		{"a bare tilde", []string{"~"}, 252, false, false, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := values.ParseRestrictAddressFamilies(tt.values, tt.version)
			got := strings.Join(slices.Sorted(maps.Keys(f.Families)), " ")
			if f.Set != tt.set || f.Allow != tt.allow || got != tt.list {
				t.Errorf("got set %v, allow %v, %q; want %v, %v, %q", f.Set, f.Allow, got, tt.set, tt.allow, tt.list)
			}
			for _, family := range values.AddressFamilies() {
				listed := slices.Contains(strings.Fields(tt.list), family)
				if got := f.Permits(family); got != (!tt.set || listed == tt.allow) {
					t.Errorf("permits %s: %v", family, got)
				}
			}
		})
	}
}

func TestParseRestrictNamespaces(t *testing.T) {
	const all = "cgroup ipc mnt net pid time user uts"
	tests := []struct {
		name    string
		values  []string
		version int
		want    string
	}{
		{"unset", nil, 252, all},
		{"yes", []string{"yes"}, 252, ""},
		{"no", []string{"yes", "no"}, 252, all},
		{"reset", []string{"yes", ""}, 252, all},
		{"list", []string{"user mnt"}, 252, "mnt user"},
		{"lists add up", []string{"user", "mnt"}, 252, "mnt user"},
		{"denied", []string{"~user"}, 262, "cgroup ipc mnt net pid time uts"},
		{"denied up to 257", []string{"~user"}, 257, "cgroup ipc mnt net pid uts"},
		{"the seven are all up to 257", []string{"cgroup ipc mnt net pid user uts"}, 257, all},
		{"denied later", []string{"user mnt", "~user"}, 252, "mnt"},
		{"allowed after yes", []string{"yes", "user"}, 252, "user"},
		{"a line with an unknown name is ignored", []string{"user", "mnt bogus"}, 252, "user"},
		{"names are exact", []string{"USER"}, 252, all},
		{"a bare tilde", []string{"~"}, 252, all},
		{"a list after a bare tilde", []string{"~", "~user"}, 262, "cgroup ipc mnt net pid time uts"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := values.ParseRestrictNamespaces(tt.values, tt.version).String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseIPAddresses(t *testing.T) {
	tests := []struct {
		name    string
		values  []string
		version int
		want    string
	}{
		{"any", []string{"any"}, 252, "0.0.0.0/0 ::/0"},
		{
			"shorthands",
			[]string{"localhost link-local multicast"},
			252,
			"127.0.0.0/8 169.254.0.0/16 224.0.0.0/4 ::1/128 fe80::/64 ff00::/8",
		},
		{"more names of localhost", []string{"LocalHost.localdomain. foo.localhost"}, 252, "127.0.0.0/8 ::1/128"},
		{"single addresses", []string{"10.0.0.1 fe80::1"}, 252, "10.0.0.1/32 fe80::1/128"},
		{"masked", []string{"10.1.2.3/8 10.0.0.0/8"}, 252, "10.0.0.0/8"},
		{"reset", []string{"any", "", "10.0.0.1"}, 252, "10.0.0.1/32"},
		{"bad words are skipped", []string{"10.0.0.0/33 fe80::1%eth0 10.0.0.1"}, 252, "10.0.0.1/32"},
		{"bad words ended the line", []string{"10.0.0.2 bogus 10.0.0.1"}, 247, "10.0.0.2/32"},
		{"ANY is no shorthand", []string{"ANY"}, 252, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range values.ParseIPAddresses(tt.values, tt.version) {
				got = append(got, netip.Prefix.String(p))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseDeviceAllow(t *testing.T) {
	expand := func(s string) (string, error) {
		if strings.Contains(s, "%z") {
			return "", fmt.Errorf("no such specifier")
		}
		return strings.ReplaceAll(s, "%i", "tty1"), nil
	}
	tests := []struct {
		name   string
		values []string
		want   string
	}{
		{"all access", []string{"/dev/kvm"}, "/dev/kvm:rwm"},
		{"order of access", []string{"/dev/kvm wr"}, "/dev/kvm:rw"},
		{"groups", []string{"char-rtc r", "block-* rw"}, "char-rtc:r block-*:rw"},
		{"reset", []string{"/dev/kvm", "", "/dev/null r"}, "/dev/null:r"},
		{"simplified", []string{"//dev/./null  r"}, "/dev/null:r"},
		{"specifiers", []string{"/dev/%i rw", "/dev/%z"}, "/dev/tty1:rw"},
		{"not a device", []string{"/etc/passwd", "kvm", "/dev/../etc/passwd", "/devil"}, ""},
		{"the directory itself", []string{"/dev/ r"}, "/dev:r"},
		{"bad access", []string{"/dev/kvm rx", "/dev/kvm r w"}, ""},
		{"twice", []string{"/dev/kvm r", "/dev/kvm w"}, "/dev/kvm:r /dev/kvm:w"},
		{"inaccessible nodes", []string{"/run/systemd/inaccessible/chr"}, "/run/systemd/inaccessible/chr:rwm"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, r := range values.ParseDeviceAllow(tt.values, 257, expand) {
				got = append(got, r.String())
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSimplifyPath(t *testing.T) {
	tests := []struct {
		path    string
		version int
		want    string
		ok      bool
	}{
		{"/", 252, "/", true},
		{"//a/./b//", 252, "/a/b", true},
		{"./", 252, ".", true},
		{"/../a", 257, "/a", true},
		{"/../a", 252, "", false},
		{"/a/..", 257, "", false},
		{"", 257, "", false},
		{"/" + strings.Repeat("a", 256), 257, "", false},
	}
	for _, tt := range tests {
		if got, ok := values.SimplifyPath(tt.path, tt.version); got != tt.want || ok != tt.ok {
			t.Errorf("%q on %d: got %q, %v, want %q, %v", tt.path, tt.version, got, ok, tt.want, tt.ok)
		}
	}
}

func TestErrno(t *testing.T) {
	for text, want := range map[string]int{
		"EPERM": 1, "0": 0, "4095": 4095, "EWOULDBLOCK": 11, "ENOTSUP": 95,
		"eperm": 1,
	} {
		if got, ok := values.ParseErrno(text); !ok || got != want {
			t.Errorf("%s: got %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "EPERM ", "4096", "-1", "EBOGUS"} {
		if got, ok := values.ParseErrno(text); ok {
			t.Errorf("%q is taken for %d, want an error", text, got)
		}
	}
	if values.ErrnoName(1) != "EPERM" || values.ErrnoName(values.ErrnoKill) != "kill" || values.ErrnoName(4095) != "" {
		t.Error("the names of errors are wrong")
	}
}

func TestKnownArchitecture(t *testing.T) {
	for _, tt := range []struct {
		name  string
		since int
	}{{"native", 0}, {"riscv64", 0}, {"parisc", 251}, {"parisc64", 251}, {"loongarch64", 257}} {
		for _, version := range []int{247, 250, 251, 252, 257, 262} {
			if got := values.KnownArchitecture(tt.name, version); got != (version >= tt.since) {
				t.Errorf("systemd %d: %s known is %v", version, tt.name, got)
			}
		}
	}
}

func TestNamespacesOf(t *testing.T) {
	for flags, want := range map[uint64]string{
		0: "", unix.CLONE_NEWNS: "mnt", unix.CLONE_NEWTIME | unix.CLONE_NEWUTS: "time uts", unix.CLONE_NEWUSER: "user",
		unix.CLONE_NEWCGROUP | unix.CLONE_NEWPID: "cgroup pid", unix.CLONE_NEWIPC | unix.CLONE_NEWNET: "ipc net",
		unix.CLONE_THREAD: "", ^uint64(0): values.AllNamespaces.String(),
	} {
		if got := values.NamespacesOf(flags).String(); got != want {
			t.Errorf("%#x: %q, want %q", flags, got, want)
		}
	}
}
