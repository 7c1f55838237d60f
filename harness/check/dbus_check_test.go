package check_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/introspect"

	"temper/harness/check"
	"temper/profiles"
)

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%[1]s/bus</listen>
  <servicedir>%[1]s</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

const activatable = `[D-BUS Service]
Name=org.example.Installed
Exec=/bin/touch %s/activated
`

// startBus runs a message bus of its own on which org.example.Installed could be activated.
func startBus(t *testing.T) (dir string, connect func() *dbus.Conn) {
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("needs dbus-daemon, which is not installed; the D-Bus of a place is tried by TestSystemdChecks")
	}
	dir = t.TempDir()
	for name, text := range map[string]string{"config": busConfig, "installed.service": activatable} {
		if err := os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, text, dir), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(daemon, "--config-file="+dir+"/config", "--nofork", "--nopidfile", "--print-address")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return dir, func() *dbus.Conn {
		conn, err := dbus.Connect(strings.TrimSpace(address))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
}

// service is what the checks call.
type service struct{}

func (service) Greet(name string, times uint32, loud bool) (string, *dbus.Error) {
	return fmt.Sprint(name, times, loud), nil
}

func (service) Join(words []string) (string, *dbus.Error) { return strings.Join(words, "+"), nil }

func (service) Hang() *dbus.Error {
	time.Sleep(time.Second)
	return nil
}

func (service) Refuse() *dbus.Error {
	return dbus.NewError("org.example.Denied", []any{"permission\ndenied"})
}

func serve(t *testing.T, conn *dbus.Conn) {
	node := &introspect.Node{Name: "/o", Interfaces: []introspect.Interface{
		{Name: "org.example.I", Methods: introspect.Methods(service{})},
	}}
	for _, err := range []error{
		conn.Export(service{}, "/o", "org.example.I"),
		conn.Export(service{}, "/mute", "org.example.I"),
		conn.Export(introspect.NewIntrospectable(node), "/o", "org.freedesktop.DBus.Introspectable"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.RequestName("org.example.S", dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
}

func TestDBus(t *testing.T) {
	dir, connect := startBus(t)
	serve(t, connect())
	env := check.Env{Place: here{bus: connect()}}
	call := func(method string, args ...string) profiles.Check {
		return profiles.Check{DBus: &profiles.DBusCheck{
			Name: "org.example.S", Path: "/o", Interface: "org.example.I", Method: method, Args: args,
		}}
	}
	hang, mute, absent := call("Hang"), call("Join", "x"), call("Greet")
	hang.Timeout = 50 * time.Millisecond
	mute.DBus.Path = "/mute"
	absent.DBus.Name = "org.example.Installed"
	judge(t, env, []row{
		{"arguments get the types of the method", call("Greet", "joe", "3", "true"), true, `answered "joe3 true"`},
		{"array", call("Join", "['a', 'b']"), true, `"a+b"`},
		{"error", call("Refuse"), false, "org.example.I.Refuse: permission denied"},
		{"no such method", call("Nope", "x"), false, "Nope"},
		{"too few arguments", call("Greet", "joe"), false, "want 3 arguments (s u b), got 1"},
		{"bad argument", call("Greet", "joe", "many", "true"), false, `argument 2: want type u, got "many"`},
		{"undescribed object gets strings", mute, false, "org.example.I.Join"},
		{"hang", hang, false, "gave up after 50ms"},
		{"absent service is not activated", absent, false, "org.example.Installed"},
	})
	if _, err := os.Stat(dir + "/activated"); err == nil {
		t.Error("the check activated the installed service")
	}
}
