package systemd_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"temper/internal/systemd"
)

// answer is a bus on one connection, whose manager answers every question alike, and says the same of the end of jobs.
type answer struct {
	net.Conn
	in        *bufio.Reader
	signature dbus.Signature
	body      []byte
}

func (a answer) serve() {
	defer a.Close()
	for line := ""; line != "BEGIN\r\n"; {
		line, _ = a.in.ReadString('\n')
		reply := "REJECTED EXTERNAL\r\n"
		switch {
		case line == "":
			return
		case strings.HasPrefix(line, "AUTH EXTERNAL"):
			reply = "OK 0123456789abcdef0123456789abcdef\r\n"
		case line == "BEGIN\r\n":
			reply = ""
		}
		if _, err := io.WriteString(a, reply); err != nil {
			return
		}
	}
	for {
		asked, err := dbus.DecodeMessage(a.in)
		if err != nil {
			return
		}
		name := dbus.SignatureOf("")
		to := map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(asked.Serial())}
		switch asked.Headers[dbus.FieldMember].Value() {
		case "Hello":
			a.send(dbus.TypeMethodReply, to, name, []byte("\x04\x00\x00\x00:1.1\x00"))
		case "GetNameOwner":
			a.send(dbus.TypeMethodReply, to, name, []byte("\x04\x00\x00\x00:1.0\x00"))
		case "AddMatch":
			a.send(dbus.TypeMethodReply, to, dbus.Signature{}, nil)
			a.send(dbus.TypeSignal, map[dbus.HeaderField]dbus.Variant{
				dbus.FieldPath:      dbus.MakeVariant(path),
				dbus.FieldInterface: dbus.MakeVariant("org.freedesktop.systemd1.Manager"),
				dbus.FieldMember:    dbus.MakeVariant("JobRemoved"), dbus.FieldSender: dbus.MakeVariant(":1.0"),
			}, a.signature, a.body)
		default:
			a.send(dbus.TypeMethodReply, to, a.signature, a.body)
		}
	}
}

// send sends a message whose body may be anything.
func (a answer) send(kind dbus.Type, to map[dbus.HeaderField]dbus.Variant, signature dbus.Signature, body []byte) {
	to[dbus.FieldSignature] = dbus.MakeVariant(signature)
	var b bytes.Buffer
	if (&dbus.Message{Type: kind, Headers: to}).EncodeTo(&b, binary.LittleEndian) == nil {
		binary.LittleEndian.PutUint32(b.Bytes()[4:], uint32(len(body)))
		_, _ = a.Write(append(b.Bytes(), body...))
	}
}

// bodyOf is how values look in a message.
func bodyOf(f *testing.F, values ...any) (signature string, body []byte) {
	f.Helper()
	var b bytes.Buffer
	m := &dbus.Message{Type: dbus.TypeMethodReply, Body: values, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(uint32(1)),
		dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(values...)),
	}}
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		f.Fatal(err)
	}
	return dbus.SignatureOf(values...).String(), b.Bytes()[b.Len()-int(binary.LittleEndian.Uint32(b.Bytes()[4:])):]
}

// FuzzReplies holds that whatever the manager of a hostile place replies, every call returns, and says that a value of
// another type is none.
func FuzzReplies(f *testing.F) {
	for _, values := range [][]any{
		{"text"},
		{dbus.ObjectPath("/job/1")},
		{dbus.MakeVariant("257.1")},
		{dbus.MakeVariant(uint64(1))},
		{},
		{uint32(1), dbus.ObjectPath("/job/1"), "a.service", "done"},
		{map[string]dbus.Variant{
			"ActiveState": dbus.MakeVariant("active"), "ExecMainCode": dbus.MakeVariant(int32(1)),
			"MainPID": dbus.MakeVariant(uint32(1)), "CanReload": dbus.MakeVariant(true),
			"ExecStart": dbus.MakeVariant([]command{{Path: "/a", Args: []string{"a"}, Code: 1}}),
		}},
		{[]struct {
			A, B, C, D, E, F string
			G                dbus.ObjectPath
			H                uint32
			I                string
			J                dbus.ObjectPath
		}{{A: "a.service", G: "/a", J: "/"}}},
	} {
		signature, body := bodyOf(f, values...)
		f.Add(signature, body)
	}
	f.Add("aa{bb}", []byte{0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, signature string, body []byte) {
		sig, err := dbus.ParseSignature(signature)
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		c, err := systemd.Connect(ctx, func(context.Context) (net.Conn, error) {
			here, there := net.Pipe()
			a := answer{there, bufio.NewReader(there), sig, body}
			go a.serve()
			return here, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		begin := time.Now()
		_, _ = c.LoadedService(ctx, "a.service")
		_, _ = c.Units(ctx, nil, nil)
		_, _ = c.Version(ctx)
		_, _ = c.LoadedUnitChanged(ctx, "a.service")
		_ = c.ResetFailed(ctx, "a.service")
		job, end := context.WithTimeout(ctx, time.Millisecond)
		defer end()
		_, _ = c.StartUnit(job, "a.service")
		if ctx.Err() != nil {
			t.Errorf("the calls took %s", time.Since(begin))
		}
	})
}
