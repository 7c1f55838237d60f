package systemd_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"

	"temper/internal/systemd"
)

// from is a connection from which something can be read.
type from struct {
	net.Conn
	io.Reader
}

func (f from) Read(p []byte) (int, error)     { return f.Reader.Read(p) }
func (from) Write(p []byte) (int, error)      { return len(p), nil }
func (from) SetWriteDeadline(time.Time) error { return nil }
func greeted(t testing.TB, r io.Reader) net.Conn {
	t.Helper()
	s := systemd.NewStream(from{nil, r}, time.Second)
	if _, err := io.WriteString(s, "BEGIN\r\n"); err != nil {
		t.Fatal(err)
	}
	return s
}

// message is one with a body, as a bus sends it.
func message(t testing.TB, kind dbus.Type, body ...any) []byte {
	t.Helper()
	m := &dbus.Message{Type: kind, Body: body, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldPath: dbus.MakeVariant(path), dbus.FieldInterface: dbus.MakeVariant("a.b"),
		dbus.FieldMember: dbus.MakeVariant("c"), dbus.FieldReplySerial: dbus.MakeVariant(uint32(7)),
		dbus.FieldErrorName: dbus.MakeVariant("a.b"), dbus.FieldSender: dbus.MakeVariant(":1.2"),
	}}
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
	}
	var b bytes.Buffer
	if err := m.EncodeTo(&b, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestMessages: what a bus sends is read message by message, without calls.
func TestMessages(t *testing.T) {
	s := greeted(t, bytes.NewReader(bytes.Join([][]byte{
		message(t, dbus.TypeMethodReply, "one"), message(t, dbus.TypeMethodCall, "two"), message(t, dbus.TypeSignal),
		message(t, dbus.TypeMethodCall), message(t, dbus.TypeError, strings.Repeat("x", 1<<20)),
	}, nil)))
	var got []dbus.Type
	for {
		m, err := dbus.DecodeMessage(s)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Type)
	}
	if diff := cmp.Diff([]dbus.Type{dbus.TypeMethodReply, dbus.TypeSignal, dbus.TypeError}, got); diff != "" {
		t.Error(diff)
	}
}

// TestMessageLimits: what is too long is not read, and what is no message neither.
func TestMessageLimits(t *testing.T) {
	header := func(body, fields uint32, more ...byte) []byte {
		h := append([]byte("l\x02\x01\x01"), make([]byte, 12)...)
		binary.LittleEndian.PutUint32(h[4:], body)
		binary.LittleEndian.PutUint32(h[12:], fields)
		return append(h, more...)
	}
	for name, sent := range map[string][]byte{
		"a long body":            header(systemd.LongestMessage, 0),
		"the longest body":       header(0xfffffff0, 0),
		"long fields":            header(0, 1<<20),
		"the longest fields":     header(16, 0xffffffff),
		"another order":          []byte("x234567890123456"),
		"a field that is longer": header(0, 9, 6, 1, 's', 0, 0xff, 0xff, 0xff, 0x7f, 0),
		"a field of a list":      header(0, 8, 6, 2, 'a', 's', 0, 0, 0, 0),
		"half a field":           header(0, 4, 6, 1, 's', 0),
	} {
		s := greeted(t, io.MultiReader(bytes.NewReader(sent), endless{}))
		m, err := dbus.DecodeMessage(s)
		if err == nil || !strings.Contains(err.Error(), "the bus sent") {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if _, err := io.Copy(io.Discard, systemd.NewStream(from{nil, endless{}}, time.Second)); err == nil {
		t.Error("a greeting that does not end is read for ever")
	}
}

// TestEmptyStructures: godbus would read a list of structures of nothing for ever. A text that looks like one is read.
func TestEmptyStructures(t *testing.T) {
	emptied := func(value any) []byte {
		sent := message(t, dbus.TypeSignal, value)
		sent = bytes.Replace(sent, []byte("\x04a(y)\x00"), []byte("\x03a()\x00\x00"), 1)
		return bytes.Replace(sent, []byte("\x03(y)\x00"), []byte("\x02()\x00\x00"), 1)
	}
	one := []struct{ A byte }{{1}}
	for name, sent := range map[string][]byte{
		"a list": emptied(one), "a list as a value": emptied(dbus.MakeVariant(one)),
		"one": emptied(one[0]), "one as a value": emptied(dbus.MakeVariant(one[0])),
	} {
		s := greeted(t, bytes.NewReader(sent))
		if m, err := dbus.DecodeMessage(s); err == nil || !strings.Contains(err.Error(), "the bus sent") {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	for _, text := range []string{"main()", "()", "a()", "x () y", "f(()) {}", strings.Repeat("a", 300) + "()"} {
		sent := message(t, dbus.TypeSignal, uint32(3), text, []string{text, text})
		s := greeted(t, bytes.NewReader(sent))
		if m, err := dbus.DecodeMessage(s); err != nil || m.Body[1] != text {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// endless is a reader that has always more.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// FuzzMessages holds that whatever a bus sends, godbus finds the ends of messages where they were measured, so that
// none is longer than it may be, and reads what was sent.
func FuzzMessages(f *testing.F) {
	for _, kind := range []dbus.Type{dbus.TypeMethodReply, dbus.TypeSignal, dbus.TypeError, dbus.TypeMethodCall} {
		f.Add(append(message(f, kind, "text", uint32(1)), message(f, kind)...))
		f.Add(message(f, kind, map[string]dbus.Variant{"a": dbus.MakeVariant([]string{"b"})}))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		s := greeted(t, bytes.NewReader(sent))
		for {
			var read bytes.Buffer
			_, err := dbus.DecodeMessage(io.TeeReader(s, &read))
			if _, invalid := errors.AsType[dbus.InvalidMessageError](err); err != nil && !invalid {
				return // the connection ends
			}
			if left := systemd.LeftOfMessage(s); left != 0 || !bytes.Contains(sent, read.Bytes()) {
				t.Fatalf("%d bytes of a message are left, %v; read:\n%q", left, err, read.Bytes())
			}
		}
	})
}
