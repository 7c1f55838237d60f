package place_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"temper/harness/place"
	"temper/internal/hint"
	"temper/internal/testroot"
)

// container boots a place that ends with the test.
func container(t *testing.T, o place.Options) *place.Place {
	t.Helper()
	p, err := place.Container(t.Context(), o)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, hint.Of(err))
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return p
}

// output runs a shell script that must succeed.
func output(t *testing.T, p *place.Place, script string) string {
	t.Helper()
	r, err := p.Run(t.Context(), place.Command{Args: []string{"sh", "-c", script}, Timeout: 20 * time.Second})
	if err != nil || r.Status != 0 {
		t.Fatalf("%s: %+v, %v", script, r, err)
	}
	return r.Stdout
}

func TestSystemdBoot(t *testing.T) {
	for name, version := range testroot.Versions {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			p := container(t, place.Options{Image: testroot.Path(t, name), ID: "boot"})
			t.Logf("%v is up after %s", p, time.Since(begin))
			if p.SystemdVersion() != version || p.Kind() != "container" {
				t.Errorf("a %s of version %d, want %d", p.Kind(), p.SystemdVersion(), version)
			}
			if v, err := p.Root().SystemdVersion(); v != version {
				t.Errorf("Root is that of systemd %d (%v), want %d", v, err, version)
			}
			if got := output(t, p, "systemctl --failed --no-legend --plain"); got != "" {
				t.Errorf("failed units:\n%s", got)
			}
			// A clean boot has only the units that every service needs.
			if got := output(t, p, "systemctl is-active nginx cron timers.target || true"); strings.Contains(got,
				"\nactive") {
				t.Errorf("more was booted than asked for: %s", got)
			}
			group := strings.Fields(output(t, p, "grep ^0:: /proc/self/cgroup"))[0]
			if !strings.HasPrefix(group, "0::/system.slice/temper-run-") {
				t.Errorf("cgroup %q, want a path from the root of the place", group)
			}
			if _, err := os.Stat(p.Cgroup() + "/init.scope/cgroup.procs"); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSystemdBootWhole(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie"), Unit: "default.target"})
	if got := output(t, p, "systemctl is-active nginx redis-server cron ssh"); got != strings.Repeat("active\n", 4) {
		t.Errorf("services of the image:\n%s", got)
	}
	conn, err := p.Dial(t.Context(), "tcp", "localhost:80")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestSystemdOwnMachine(t *testing.T) {
	testroot.Need(t)
	marker := "/var/tmp/temper-place-test"
	p := container(t, place.Options{
		Trusted: os.Getenv("TEMPER_NESTED") != "",
		Files:   []place.File{{Name: marker, Data: []byte("#!/bin/sh\necho ran\n"), Mode: 0o755}},
	})
	if got := output(t, p, marker); got != "ran\n" {
		t.Errorf("a file of the options says %q", got)
	}
	want, err := os.ReadFile("/etc/passwd")
	if got, rerr := p.Root().ReadFile("/etc/passwd"); !bytes.Equal(got, want) || err != nil || rerr != nil {
		t.Errorf("the copy has another /etc/passwd (%v, %v)", err, rerr)
	}
	// A socket of the live machine is a name in the copy, and nobody listens there.
	dir, err := os.MkdirTemp("/var/tmp", "temper-place")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	live, err := net.Listen("unix", dir+"/live")
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if conn, err := p.Dial(t.Context(), "unix", live.Addr().String()); err == nil {
		conn.Close()
		t.Error("the place reaches a socket of the live machine")
	}
	if err := p.WriteFile("/etc/hostname", []byte("elsewhere\n"), 0o644); err != nil {
		t.Error(err)
	}
	if name, _ := os.ReadFile("/etc/hostname"); string(name) == "elsewhere\n" {
		t.Error("the machine's own /etc/hostname was written")
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a file of the options was written to the machine")
	}
}

// TestSystemdRunReadAgain: a daemon-reload that comes before the process of a command changes no argument.
func TestSystemdRunReadAgain(t *testing.T) {
	const arguments = `systemctl show -P ExecStart $u | sed 's/ ; ignore_errors=.*//'`
	for _, suite := range []string{"bullseye", "trixie", "sid"} {
		t.Run(suite, func(t *testing.T) {
			p := container(t, place.Options{Image: testroot.Path(t, suite)})
			r, err := p.Run(t.Context(), place.Command{Args: []string{
				"sh", "-c", `u=$(sed -n 's,^0::.*/,,p' /proc/self/cgroup); before=$(` + arguments +
					`); systemctl daemon-reload; after=$(` + arguments + `); test -n "$after" && test "$before" = "$after"`,
			}})
			if err != nil || r.Status != 0 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

func TestSystemdRun(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "bullseye")}) // the version that wants the most help
	for _, tc := range []struct {
		name    string
		command place.Command
		want    place.Result
	}{
		{
			"status",
			place.Command{Args: []string{"sh", "-c", "echo out; echo err >&2; exit 3"}},
			place.Result{Status: 3, Stdout: "out\n", Stderr: "err\n"},
		},
		{"stdin", place.Command{Args: []string{"cat"}, Stdin: "a\x00b\xff"}, place.Result{Stdout: "a\x00b\xff"}},
		{"no stdin", place.Command{Args: []string{"cat"}}, place.Result{}},
		{
			"root has a home",
			place.Command{Args: []string{"sh", "-c", "echo $USER $HOME $PWD"}},
			place.Result{Stdout: "root /root /\n"},
		},
		{
			"user",
			place.Command{Args: []string{"sh", "-c", "id -un; cat"}, User: "nobody", Stdin: "x"},
			place.Result{Stdout: "nobody\nx"},
		},
		{"unknown user", place.Command{Args: []string{"true"}, User: "who"}, place.Result{Status: 217}},
		{
			"environment",
			place.Command{Args: []string{"printenv", "A"}, Env: []string{"A=100% $B"}},
			place.Result{Stdout: "100% $B\n"},
		},
		{
			"nothing is expanded",
			place.Command{Args: []string{"/bin/echo", "$HOME %n ${A} \\x41", "", "; x"}},
			place.Result{Stdout: "$HOME %n ${A} \\x41  ; x\n"},
		},
		{
			"read again by systemd",
			place.Command{Args: []string{
				"sh", "-c",
				`systemctl daemon-reload; systemctl show -P LoadState "$(sed -n 's,^0::.*/,,p' /proc/self/cgroup)"`,
			}},
			place.Result{Stdout: "loaded\n"},
		},
		{"signal", place.Command{Args: []string{"sh", "-c", "kill -TERM $$"}}, place.Result{Status: 128 + 15}},
		{
			"no such program",
			place.Command{Args: []string{"nowhere", "x"}},
			place.Result{Status: 127, Stderr: "nowhere: not found\n"},
		},
		{
			"no such path",
			place.Command{Args: []string{"/nowhere"}},
			place.Result{Status: 127, Stderr: "/nowhere: not found\n"},
		},
		{"not a program", place.Command{Args: []string{"/etc/passwd"}}, place.Result{Status: 203}},
		{
			"what it left running is killed",
			place.Command{Args: []string{"sh", "-c", "sleep 1000 & echo $!"}},
			place.Result{},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := p.Run(t.Context(), tc.command)
			if err != nil {
				t.Fatal(err)
			}
			if tc.name == "what it left running is killed" {
				pid := strings.TrimSpace(got.Stdout)
				stat, err := p.Root().Stat("/proc/" + pid)
				for range 100 { // it is dead, but PID 1 may not have reaped it yet
					if err != nil {
						break
					}
					time.Sleep(10 * time.Millisecond)
					stat, err = p.Root().Stat("/proc/" + pid)
				}
				if err == nil || pid == "" {
					t.Errorf("process %q still runs: %v", pid, stat)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, c := range []place.Command{
		{},
		{Args: []string{"echo", "\xff"}},
		{Args: []string{"true"}, Env: []string{"A=\x00"}},
	} {
		if _, err := p.Run(t.Context(), c); err == nil {
			t.Errorf("Run(%q) worked", c)
		}
	}
	noRuns(t, p)
}

func TestSystemdRunTimeout(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie")})
	begin := time.Now()
	r, err := p.Run(t.Context(), place.Command{
		Args:    []string{"sh", "-c", "trap '' TERM; echo begun; sleep 1000"},
		Timeout: 300 * time.Millisecond,
	})
	if !errors.Is(err, context.DeadlineExceeded) || r.Stdout != "begun\n" {
		t.Errorf("timeout: %+v, %v", r, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := p.Run(ctx, place.Command{Args: []string{"sleep", "1000"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("end of the context: %v", err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("it took %s to time out twice", took)
	}
	noRuns(t, p)
	r, err = p.Run(t.Context(), place.Command{Args: []string{"poweroff", "-f"}})
	if err == nil {
		t.Errorf("a command outlived its place: %+v", r)
	}
	<-p.Done()
	if p.Err() == nil {
		t.Error("a place that is down has no error")
	}
}

// noRuns checks that no command has left a unit or a file.
func noRuns(t *testing.T, p *place.Place) {
	t.Helper()
	const alone = "1\n1\n" // the command that asks
	var got string
	for end := time.Now().Add(5 * time.Second); got != alone && time.Now().Before(end); {
		got = output(t, p, "systemctl list-units --all --no-legend --plain 'temper-run-*' | wc -l; ls -d "+
			"/run/temper-run-* | wc -l")
	}
	if got != alone {
		t.Errorf("units and directories of commands: %q, want this one alone", got)
	}
}

const echoUnits = `[Socket]
ListenStream=127.0.0.1:7777
ListenStream=[::1]:7778
ListenStream=@temper/echo
ListenStream=/run/a-rather-long-directory-name-which-leaves-no-room-for/any-prefix-before-the-limit-of-108-bytes/sock
Accept=yes
`

func TestSystemdDial(t *testing.T) {
	const long = "/var/run/a-rather-long-directory-name-which-leaves-no-room-for/any-prefix-before-the-limit-of-108-bytes/sock"
	p := container(t, place.Options{Image: testroot.Path(t, "trixie"), Files: []place.File{
		{Name: "/etc/systemd/system/echo.socket", Data: []byte(echoUnits)},
		{Name: "/etc/systemd/system/echo@.service", Data: []byte("[Service]\nExecStart=cat\nStandardInput=socket\n")},
		{Name: "/etc/systemd/system/note.socket", Data: []byte("[Socket]\nListenDatagram=127.0.0.1:7777\n")},
		{
			Name: "/etc/systemd/system/note.service",
			Data: []byte("[Service]\nExecStart=sh -c 'head -c 4 >/run/noted'\nStandardInput=socket\n"),
		},
		{Name: "/etc/hosts", Data: []byte("127.0.0.1 other # comment\n::1 six\n")},
	}})
	output(t, p, "systemctl start echo.socket note.socket")
	for _, tc := range [][2]string{
		{"tcp", "127.0.0.1:7777"},
		{"tcp4", "localhost:7777"},
		{"tcp", "localhost:7778"},
		{"tcp", "other:7777"},
		{"tcp", "six:7778"},
		{"unix", "@temper/echo"},
		{"unix", long},
	} {
		t.Run(tc[0]+" "+tc[1], func(t *testing.T) {
			conn, err := p.Dial(t.Context(), tc[0], tc[1])
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "hello\n"); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 6)
			if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello\n" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	t.Run("udp", func(t *testing.T) {
		conn, err := p.Dial(t.Context(), "udp", "127.0.0.1:7777")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "ping"); err != nil {
			t.Fatal(err)
		}
		if got := output(t, p, "while [ ! -s /run/noted ]; do sleep 0.01; done; cat /run/noted"); got != "ping" {
			t.Errorf("noted %q", got)
		}
	})
	// What listens on the machine is not there.
	here, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	for _, tc := range [][2]string{
		{"tcp", here.Addr().String()},
		{"tcp", "example.org:80"},
		{"tcp", "127.0.0.1"},
		{"unix", "/run/none"},
		{"unix", "@none"},
	} {
		if conn, err := p.Dial(t.Context(), tc[0], tc[1]); err == nil {
			t.Errorf("%s answered at %s", tc[1], conn.RemoteAddr())
		}
	}
}

func TestSystemdWriteFile(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "bookworm")})
	if err := p.WriteFile("/var/run/made/on/the/way", []byte("x"), 0o751); err != nil {
		t.Fatal(err)
	}
	if got := output(t, p, "stat -c '%a %U' /run/made/on/the/way; cat /run/made/on/the/way"); got != "751 root\nx" {
		t.Errorf("the file is %q", got)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteFile("/run/late", nil, 0o600); err == nil {
		t.Error("a closed place takes files")
	}
	if _, err := p.Dial(t.Context(), "tcp", "127.0.0.1:80"); err == nil || p.Err() == nil {
		t.Errorf("a closed place is dialled: %v, %v", err, p.Err())
	}
}

// systemd enforces some directives with BPF, and silently does not where bpf(2) is refused. In a trusted container they
// must hold.
func TestSystemdBPF(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie"), Trusted: true})
	const send = ` perl -MIO::Socket -e 'socket(S,2,2,0); exit !send(S, "x", 0, sockaddr_in(9, inet_aton("127.0.0.1")))'`
	const bind = ` perl -MIO::Socket -e 'socket(S,2,2,0); exit !bind(S, sockaddr_in(99, inet_aton("127.0.0.1")))'`
	for _, tc := range [][2]string{
		{"IPAddressDeny=any", send},
		{"SocketBindDeny=any", bind},
		{"RestrictNetworkInterfaces=~lo", send},
		{"DevicePolicy=strict", " head -c 1 /dev/random"},
	} {
		t.Run(tc[0], func(t *testing.T) {
			run := "systemd-run -q --wait --pipe -p "
			if got := output(t, p, run+"LogLevelMax=info"+tc[1]+" >/dev/null && echo free; "+run+tc[0]+tc[1]+
				" || echo refused"); got != "free\nrefused\n" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestSystemdNice: a service has the nice value that it has at a boot, not that of the process that proves it: what the
// service may ask for depends on it.
func TestSystemdNice(t *testing.T) {
	threads := func(nice int) {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			id, _ := strconv.Atoi(task.Name())
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, nice) // one that has ended has none
		}
	}
	threads(5)
	defer threads(0)
	if got := strings.TrimSpace(output(t, container(t, place.Options{Image: testroot.Path(t, "trixie")}),
		"nice")); got != "0" {
		t.Errorf("a service has the niceness %s", got)
	}
}

// TestSystemdKernelState: each thing that a service sets in the kernel and leaves set is seen by itself, and what the
// service takes back is not.
func TestSystemdKernelState(t *testing.T) {
	p := container(t, place.Options{Image: testroot.Path(t, "trixie")})
	before := kernelState(t, p)
	output(t, p, "mount -t tmpfs none /mnt; umount /mnt; ip link >/dev/null 2>&1; :")
	if diff := cmp.Diff(before, kernelState(t, p)); diff != "" {
		t.Errorf("nothing was set (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		name, changes string
		set           func() error
	}{
		{
			"variable", "/proc/sys/net/ipv4/ip_forward",
			func() error { // a new network has the machine's value
				other := "1"
				if before["/proc/sys/net/ipv4/ip_forward"] == "1\n" {
					other = "0"
				}
				return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte(other), 0)
			},
		},
		{"host name", "the host name", func() error { return unix.Sethostname([]byte("other")) }},
		{"memory", "/proc/sysvipc/shm", func() error {
			_,
				err := unix.SysvShmGet(7, 4096, unix.IPC_CREAT|0o600)
			return err
		}},
		{"packet filter", "the packet filter", addTable},
	} {
		if err := p.Inside(tc.set); err != nil {
			t.Errorf("%s: %v", tc.name, err)
		}
		after := kernelState(t, p)
		if before[tc.changes] == after[tc.changes] {
			t.Errorf("%s: %s is %q as before", tc.name, tc.changes, after[tc.changes])
		}
		before[tc.changes] = after[tc.changes]
		if diff := cmp.Diff(before, after); tc.name != "variable" && diff != "" { // others follow it
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
		before = after
	}
	output(t, p, "mount -t tmpfs none /mnt")
	if after := kernelState(t, p); after["the mount at /mnt"] == "" {
		t.Error("a mount is not seen")
	}
}

func kernelState(t *testing.T, p *place.Place) map[string]string {
	t.Helper()
	state, err := p.KernelState()
	if err != nil {
		t.Fatal(err)
	}
	return state
}

// addTable makes a table of the packet filter as nft(8) does.
func addTable() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	message := func(kind, flags uint16, body ...byte) []byte {
		m := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+len(body)))
		m = binary.NativeEndian.AppendUint16(m, kind)
		m = binary.NativeEndian.AppendUint16(m, flags)
		return append(append(m, make([]byte, 8)...), body...)
	}
	const inet, tables = 1, unix.NFNL_SUBSYS_NFTABLES
	name := binary.NativeEndian.AppendUint16(binary.NativeEndian.AppendUint16(nil, 8), unix.NFTA_TABLE_NAME)
	return unix.Sendto(fd, slices.Concat(
		message(unix.NFNL_MSG_BATCH_BEGIN, unix.NLM_F_REQUEST, 0, 0, 0, tables),
		message(tables<<8|unix.NFT_MSG_NEWTABLE, unix.NLM_F_REQUEST|unix.NLM_F_CREATE,
			append([]byte{inet, 0, 0, 0}, append(name, "abc\x00"...)...)...),
		message(unix.NFNL_MSG_BATCH_END, unix.NLM_F_REQUEST, 0, 0, 0, tables),
	), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}
