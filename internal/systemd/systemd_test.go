package systemd_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"temper/internal/systemd"
)

const (
	name = "org.freedesktop.systemd1"
	path = dbus.ObjectPath("/org/freedesktop/systemd1")
)

const configuration = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=SOCKET</listen>
<policy context="default"><allow send_destination="*"/><allow own="*"/><allow receive_sender="*"/></policy></busconfig>`

// bus is a real bus with a manager that does what a test wants.
type bus struct {
	socket  string
	daemon  *exec.Cmd
	manager *dbus.Conn
}

func startBus(t *testing.T) *bus {
	t.Helper()
	if _, err := exec.LookPath("dbus-daemon"); err != nil {
		t.Skip("needs dbus-daemon, which is not installed; real managers are asked by the tests of harness/place")
	}
	dir := t.TempDir()
	b := &bus{socket: filepath.Join(dir, "bus")}
	file := filepath.Join(dir, "conf")
	if err := os.WriteFile(file, []byte(strings.Replace(configuration, "SOCKET", b.socket, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	b.daemon = exec.Command("dbus-daemon", "--config-file="+file, "--print-address", "--nofork")
	out, err := b.daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.daemon.Process.Kill(); _ = b.daemon.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if b.manager, err = dbus.Connect("unix:path=" + b.socket); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.manager.Close() })
	return b
}

// serve makes methods those of the manager.
func (b *bus) serve(t *testing.T, methods map[string]any) {
	t.Helper()
	if err := b.manager.ExportMethodTable(methods, path, name+".Manager"); err != nil {
		t.Fatal(err)
	}
	if reply, err := b.manager.RequestName(name, 0); err != nil || reply != dbus.RequestNameReplyPrimaryOwner {
		t.Fatal(reply, err)
	}
}

// end ends a job.
func (b *bus) end(job dbus.ObjectPath, result string) {
	_ = b.manager.Emit(path, name+".Manager.JobRemoved", uint32(1), job, "a.service", result)
}

func connect(t *testing.T, b *bus) *systemd.Client {
	t.Helper()
	c, err := systemd.Connect(t.Context(), systemd.Socket(b.socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestJobs: each caller gets the result of its own job, also where the job ends before the manager has answered.
func TestJobs(t *testing.T) {
	b := startBus(t)
	jobs := map[string]dbus.ObjectPath{"fast.service": "/job/1", "slow.service": "/job/2"}
	b.serve(t, map[string]any{
		"StartUnit": func(unit, _ string) (dbus.ObjectPath, *dbus.Error) {
			if unit == "fast.service" {
				b.end(jobs[unit], "failed")
			} else {
				time.AfterFunc(50*time.Millisecond, func() { b.end(jobs[unit], "done") })
			}
			return jobs[unit], nil
		},
	})
	c := connect(t, b)
	var all sync.WaitGroup
	for unit, want := range map[string]string{"fast.service": "failed", "slow.service": "done"} {
		all.Go(func() {
			if got, err := c.StartUnit(t.Context(), unit); got != want || err != nil {
				t.Errorf("%s: job %q, %v; want %q", unit, got, err, want)
			}
		})
	}
	all.Wait()
}

// TestJobEndsOfOthers: what another user of the bus says of a job does not count.
func TestJobEndsOfOthers(t *testing.T) {
	b := startBus(t)
	other, err := dbus.Connect("unix:path=" + b.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	b.serve(t, map[string]any{"StartUnit": func(string, string) (dbus.ObjectPath, *dbus.Error) {
		for range 1000 {
			_ = other.Emit(path, name+".Manager.JobRemoved", uint32(1), dbus.ObjectPath("/job/1"), "a.service", "done")
		}
		time.AfterFunc(200*time.Millisecond, func() { b.end("/job/1", "failed") })
		return "/job/1", nil
	}})
	c := connect(t, b)
	for range 2 {
		if got, err := c.StartUnit(t.Context(), "a.service"); got != "failed" || err != nil {
			t.Errorf("the job ended with %q, %v; the manager has said failed", got, err)
		}
	}
}

// TestManagerUnderAnotherName: a manager that has executed itself again has another name on the bus.
func TestManagerUnderAnotherName(t *testing.T) {
	b := startBus(t)
	start := map[string]any{"StartUnit": func(string, string) (dbus.ObjectPath, *dbus.Error) {
		b.end("/job/1", "done")
		return "/job/1", nil
	}}
	b.serve(t, start)
	c := connect(t, b)
	for range 2 {
		if got, err := c.StartUnit(t.Context(), "a.service"); got != systemd.Done || err != nil {
			t.Errorf("the job ended with %q, %v", got, err)
		}
		b.manager.Close()
		var err error
		if b.manager, err = dbus.Connect("unix:path=" + b.socket); err != nil {
			t.Fatal(err)
		}
		b.serve(t, start)
	}
}

// TestJobThatDoesNotEnd: the end of the context ends the wait, and so does that of the bus.
func TestJobThatDoesNotEnd(t *testing.T) {
	b := startBus(t)
	b.serve(t, map[string]any{"StopUnit": func(string, string) (dbus.ObjectPath, *dbus.Error) { return "/job/1", nil }})
	c := connect(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.StopUnit(ctx, "a.service"); !errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, systemd.ErrNoAnswer) {
		t.Errorf("a job that ran out of time: %v", err)
	}
	time.AfterFunc(50*time.Millisecond, func() { _ = b.daemon.Process.Kill() })
	if _, err := c.StopUnit(t.Context(), "a.service"); !errors.Is(err, systemd.ErrGone) {
		t.Errorf("a job on a bus that died: %v", err)
	}
	if c.Connected() {
		t.Error("it says that it is still connected")
	}
	if _, err := c.Version(t.Context()); !errors.Is(err, systemd.ErrGone) {
		t.Errorf("a call on a bus that died: %v", err)
	}
}

// TestManagerThatHangs: a manager that takes calls and never answers holds nobody up, whether or not the caller has a
// deadline.
func TestManagerThatHangs(t *testing.T) {
	b := startBus(t)
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	b.serve(t, map[string]any{
		"StartUnit":       func(string, string) (dbus.ObjectPath, *dbus.Error) { <-hang; return "/job/1", nil },
		"UnrefUnit":       func(string) *dbus.Error { <-hang; return nil },
		"GetUnit":         func(string) (dbus.ObjectPath, *dbus.Error) { <-hang; return "/", nil },
		"StopUnit":        func(string, string) (dbus.ObjectPath, *dbus.Error) { <-hang; return "/job/1", nil },
		"KillUnit":        func(string, string, int32) *dbus.Error { <-hang; return nil },
		"ResetFailedUnit": func(string) *dbus.Error { <-hang; return nil },
	})
	c := connect(t, b)
	calls := map[string]func(context.Context) error{
		"StartUnit":     func(ctx context.Context) error { _, err := c.StartUnit(ctx, "a.service"); return err },
		"Unref":         func(ctx context.Context) error { return c.Unref(ctx, "a.service") },
		"LoadedService": func(ctx context.Context) error { _, err := c.LoadedService(ctx, "a.service"); return err },
	}
	for what, call := range calls {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("%s, interrupted: %v", what, err)
		}
	}
	c.AnswerWithin(50 * time.Millisecond)
	for what, call := range calls {
		if err := call(t.Context()); !errors.Is(err, systemd.ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s, without a deadline: %v", what, err)
		}
	}
	released := make(chan struct{})
	go func() { c.Release(t.Context(), "a.service"); close(released) }()
	select {
	case <-released:
	case <-time.After(10 * time.Second):
		t.Error("Release still waits")
	}
}

// TestBusThatHangs: so is a bus that takes connections and says nothing, or not enough.
func TestBusThatHangs(t *testing.T) {
	for name, says := range map[string]string{
		"nothing":       "",
		"authenticated": "REJECTED EXTERNAL\r\nOK 0123456789abcdef\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "bus")
			l, err := net.Listen("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					conn, err := l.Accept()
					if err != nil {
						return
					}
					defer conn.Close()
					_, _ = conn.Write([]byte(says))
				}
			}()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			if _, err := systemd.Connect(ctx, systemd.Socket(socket)); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want an interrupted call", err)
			}
		})
	}
}

// TestWritesEnd: a peer that reads nothing does not hold up whoever writes.
func TestWritesEnd(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	if _, err := systemd.NewStream(here, 20*time.Millisecond).Write([]byte("x")); !errors.Is(err,
		os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// TestErrors: what the manager refuses is told from what it does not have, and from a manager that is not there.
func TestErrors(t *testing.T) {
	b := startBus(t)
	c := connect(t, b)
	if _, err := c.StartUnit(t.Context(), "a.service"); err == nil {
		t.Error("a bus without a manager starts units")
	} else if message, ok := systemd.Refused(err); ok {
		t.Errorf("a bus without a manager refuses: %s", message)
	}
	b.serve(t, map[string]any{
		"GetUnit": func(string) (dbus.ObjectPath, *dbus.Error) {
			return "", dbus.NewError(name+".NoSuchUnit", []any{"Unit a.service not loaded."})
		},
		"StartUnit": func(string, string) (dbus.ObjectPath, *dbus.Error) {
			return "", dbus.NewError(name+".BadUnitSetting", []any{"Unit a.service has a bad unit file setting."})
		},
	})
	if _, err := c.LoadedService(t.Context(), "a.service"); !errors.Is(err, systemd.ErrNotLoaded) {
		t.Errorf("a unit that is not loaded: %v", err)
	}
	_, err := c.StartUnit(t.Context(), "a.service")
	if message, ok := systemd.Refused(err); !ok || message != "Unit a.service has a bad unit file setting." ||
		errors.Is(err, systemd.ErrNotLoaded) {
		t.Errorf("a unit with a bad setting: %v (%v, %q)", err, ok, message)
	}
}

// TestTransientUnit: the manager gets the properties in their order, with the types that they have here.
func TestTransientUnit(t *testing.T) {
	type property struct {
		Name  string
		Value dbus.Variant
	}
	type auxiliary struct {
		Name       string
		Properties []property
	}
	b := startBus(t)
	var got []string
	b.serve(t, map[string]any{
		"StartTransientUnit": func(unit, mode string, properties []property, others []auxiliary) (dbus.ObjectPath,
			*dbus.Error,
		) {
			got = append(got, unit, mode)
			for _, p := range properties {
				got = append(got, p.Name+"="+p.Value.String())
			}
			for _, o := range others {
				got = append(got, o.Name)
			}
			b.end("/job/1", "done")
			return "/job/1", nil
		},
	})
	result, err := connect(t, b).StartTransientUnit(t.Context(), systemd.Fail,
		systemd.Transient{Name: "a.service", Properties: []systemd.Property{{"Type", "oneshot"}, {"AddRef", true}}},
		systemd.Transient{Name: "b.socket"})
	if result != systemd.Done || err != nil {
		t.Error(result, err)
	}
	if diff := cmp.Diff([]string{"a.service", "fail", `Type="oneshot"`, "AddRef=true", "b.socket"}, got); diff != "" {
		t.Error(diff)
	}
}

// command is an element of the property ExecStart; org.freedesktop.systemd1(5).
type command struct {
	Path                     string
	Args                     []string
	Ignore                   bool
	Begin, Begin2, End, End2 uint64
	PID                      uint32
	Code, Status             int32
}

// TestService reads the state of a service as the manager shows it.
func TestService(t *testing.T) {
	b := startBus(t)
	properties := map[string]dbus.Variant{
		"ActiveState": dbus.MakeVariant("failed"), "Result": dbus.MakeVariant("exit-code"),
		"ExecMainStatus": dbus.MakeVariant(int32(3)),
		"ExecMainCode":   dbus.MakeVariant(int32(systemd.Exited)), "NRestarts": dbus.MakeVariant("of another type"),
		"ExecStop": dbus.MakeVariant([]command{{Path: "/bin/a"}, {Path: "/bin/b", Code: systemd.Killed, Status: 9}}),
	}
	object := dbus.ObjectPath("/org/freedesktop/systemd1/unit/a_40b_2eservice")
	err := b.manager.ExportMethodTable(map[string]any{
		"GetAll": func(string) (map[string]dbus.Variant, *dbus.Error) { return properties, nil },
	}, object, "org.freedesktop.DBus.Properties")
	if err != nil {
		t.Fatal(err)
	}
	b.serve(t, map[string]any{"GetUnit": func(string) (dbus.ObjectPath, *dbus.Error) { return object, nil }})
	got, err := connect(t, b).LoadedService(t.Context(), "a@b.service")
	if err != nil {
		t.Fatal(err)
	}
	got.Properties = nil
	want := systemd.Service{
		Active: "failed", Result: "exit-code", Code: systemd.Exited, Status: 3,
		Commands: []systemd.Command{{Name: "ExecStop=/bin/b (number 2)", Code: systemd.Killed, Status: 9}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
