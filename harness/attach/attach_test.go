package attach_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"temper/harness/attach"
	"temper/harness/place/cgroup"
	"temper/internal/testroot"
)

// helper, where it is set, makes the test binary do one thing in the control group where it was started.
const helper = "TEMPER_ATTACH_TEST"

func TestMain(m *testing.M) {
	if what := os.Getenv(helper); what != "" {
		if err := act(what); err != nil {
			println(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// act does "bind NETWORK ADDRESS", "send NETWORK ADDRESS" or "open PATH".
func act(what string) error {
	words := strings.Fields(what)
	switch words[0] {
	case "bind":
		if strings.HasPrefix(words[1], "udp") {
			c, err := net.ListenPacket(words[1], words[2])
			if err == nil {
				err = c.Close()
			}
			return err
		}
		l, err := net.Listen(words[1], words[2])
		if err == nil {
			err = l.Close()
		}
		return err
	case "send":
		c, err := net.DialTimeout(words[1], words[2], 300*time.Millisecond)
		if err == nil {
			err = c.Close()
		}
		return err
	}
	f, err := os.OpenFile(words[1], os.O_RDWR, 0)
	if err == nil {
		err = f.Close()
	}
	return err
}

// group makes a control group, and one below it in which processes run.
func group(t *testing.T) (dir, below string) {
	t.Helper()
	testroot.NeedFor(t, "make control groups and attach programs")
	unified, _, err := cgroup.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	dir, err = os.MkdirTemp(unified, "temper-test-")
	if err != nil {
		t.Fatal(err)
	}
	below = filepath.Join(dir, "service")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Rmdir(below); _ = unix.Rmdir(dir) })
	return dir, below
}

// refused reports whether a process in a control group is refused something.
func refused(t *testing.T, dir, what string) bool {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helper+"="+what)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	out, err := cmd.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed {
		t.Fatal(err)
	}
	if err != nil && !strings.Contains(string(out), "not permitted") && !strings.Contains(string(out), "timeout") {
		t.Errorf("%s: %s", what, out)
	}
	return err != nil
}

// TestAttach: what the rules forbid is refused to processes in the control group and below, and nothing else is.
func TestAttach(t *testing.T) {
	l4, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l4.Close()
	server := l4.Addr().String()
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	prefixes := func(list ...string) (prefixes []netip.Prefix) {
		for _, s := range list {
			prefixes = append(prefixes, netip.MustParsePrefix(s))
		}
		return prefixes
	}
	all := prefixes("0.0.0.0/0", "::/0")
	for name, tc := range map[string]struct {
		rules      attach.Rules
		may, mayNo []string
	}{
		"no rules": {may: []string{"send tcp4 " + server, "bind tcp4 127.0.0.1:0", "open /dev/null", "open /dev/zero"}},
		"no address": {
			rules: attach.Rules{AddressDeny: all},
			may:   []string{"bind tcp4 127.0.0.1:0"},
			mayNo: []string{"send tcp4 " + server},
		},
		"another address": {
			rules: attach.Rules{AddressDeny: prefixes("127.0.0.2/31", "10.0.0.0/8", "::/0")},
			may:   []string{"send tcp4 " + server},
		},
		"its network": {
			rules: attach.Rules{AddressDeny: prefixes("127.0.0.0/31")}, mayNo: []string{"send tcp4 " + server},
		},
		"what is allowed comes first": {
			rules: attach.Rules{AddressAllow: prefixes("127.0.0.0/8"), AddressDeny: all},
			may:   []string{"send tcp4 " + server},
		},
		"no port": {
			rules: attach.Rules{BindDeny: []attach.Ports{{}}},
			mayNo: []string{"bind tcp4 127.0.0.1:0", "bind udp6 [::1]:0", "bind tcp6 [::1]:7171"},
		},
		"some ports": {
			rules: attach.Rules{
				BindAllow: []attach.Ports{{Family: unix.AF_INET, Protocol: unix.IPPROTO_TCP, First: 7171, Count: 2}},
				BindDeny:  []attach.Ports{{First: 7170, Count: 10}},
			},
			may:   []string{"bind tcp4 127.0.0.1:7171", "bind tcp4 127.0.0.1:7172", "bind tcp4 127.0.0.1:7169"},
			mayNo: []string{"bind tcp4 127.0.0.1:7173", "bind udp4 127.0.0.1:7171", "bind tcp4 127.0.0.1:7179"},
		},
		"a port that the kernel chooses": {
			rules: attach.Rules{BindAllow: []attach.Ports{{Count: 1}}, BindDeny: []attach.Ports{{}}},
			may:   []string{"bind tcp4 127.0.0.1:0"},
			mayNo: []string{"bind tcp4 127.0.0.1:7171"},
		},
		"one protocol": {
			rules: attach.Rules{BindDeny: []attach.Ports{{Protocol: unix.IPPROTO_UDP}}},
			may:   []string{"bind tcp4 127.0.0.1:7171"},
			mayNo: []string{"bind udp4 127.0.0.1:7171"},
		},
		"no interface": {
			rules: attach.Rules{Interfaces: &attach.Interfaces{Allowed: true}}, mayNo: []string{"send tcp4 " + server},
		},
		"the loopback interface": {
			rules: attach.Rules{Interfaces: &attach.Interfaces{Allowed: true, Numbers: []int{lo.Index}}},
			may:   []string{"send tcp4 " + server},
		},
		"all but the loopback interface": {
			rules: attach.Rules{Interfaces: &attach.Interfaces{Numbers: []int{lo.Index}}},
			mayNo: []string{"send tcp4 " + server},
		},
		"no device": {rules: attach.Rules{OnlyDevices: true}, mayNo: []string{"open /dev/null"}},
		"one device": {
			rules: attach.Rules{OnlyDevices: true, Devices: []attach.Device{
				{Major: 1, Minor: 3, Read: true, Write: true}, {Major: 1, Minor: 5, Read: true},
			}},
			may:   []string{"open /dev/null"},
			mayNo: []string{"open /dev/zero", "open /dev/full"},
		},
		"one driver": {
			rules: attach.Rules{OnlyDevices: true, Devices: []attach.Device{
				{Major: 1, AllMinor: true, Read: true, Write: true, Create: true},
			}},
			may: []string{"open /dev/null", "open /dev/zero"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, below := group(t)
			a, err := tc.rules.Attach(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, where := range []string{dir, below} {
				for _, what := range tc.may {
					if refused(t, where, what) {
						t.Errorf("%s is refused", what)
					}
				}
				for _, what := range tc.mayNo {
					if !refused(t, where, what) {
						t.Errorf("%s is not refused", what)
					}
				}
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
			for _, what := range tc.mayNo {
				if refused(t, below, what) {
					t.Errorf("%s is refused still", what)
				}
			}
		})
	}
}
