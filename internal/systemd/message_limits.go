package systemd

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// longestMessage is enough for a list of 20,000 units. godbus takes 128 MiB, and many times that for the values in
	// them.
	longestMessage = 8 << 20
	// longestFields is enough for names and an object path; each name has 255 bytes at most.
	longestFields = 16 << 10
	// longestGreeting bounds all that a bus says before the first message.
	longestGreeting = 16 << 10
)

var (
	errMessageTooLong  = errors.New("the bus sent a message that is too long")
	errGreetingTooLong = errors.New("the bus sends no end of its greeting")
	errNoMessage       = errors.New("the bus sent what is no message")
)

// stream is a connection to a bus that may be hostile. A message or a greeting that is too long ends it. Calls are
// left out: the client serves nobody, and godbus has a goroutine for each. Writes end in time also where nobody reads.
type stream struct {
	net.Conn
	buffer  *bufio.Reader // dbus reads byte by byte
	limit   time.Duration // of one write
	greeted int           // bytes that were read of the greeting
	begun   bool          // the greeting is over
	message []byte        // what is left of the message that is being read
}

func newStream(conn net.Conn, limit time.Duration) *stream {
	return &stream{Conn: conn, buffer: bufio.NewReader(conn), limit: limit}
}

// endOfGreeting is what the client says last before messages.
const endOfGreeting = "BEGIN\r\n"

func (s *stream) Write(p []byte) (int, error) {
	if string(p) == endOfGreeting { // before anybody reads messages, and no message is as short
		s.begun = true
	}
	if err := s.SetWriteDeadline(time.Now().Add(s.limit)); err != nil {
		return 0, err
	}
	return s.Conn.Write(p)
}

func (s *stream) Read(p []byte) (int, error) {
	if !s.begun {
		n, err := s.buffer.Read(p)
		if s.greeted += n; s.greeted > longestGreeting {
			return 0, errGreetingTooLong
		}
		return n, err
	}
	for len(s.message) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.message)
	s.message = s.message[n:]
	return n, nil
}

// fixedHeader is how long the part of a message is that says how long the message is.
const fixedHeader = 16

// next reads the next message. Its header is byte order, type, two more bytes, length of the body, serial number and
// length of the fields.
func (s *stream) next() error {
	header, err := s.buffer.Peek(fixedHeader)
	if err != nil {
		if errors.Is(err, io.EOF) && len(header) > 0 {
			return io.ErrUnexpectedEOF
		}
		return err
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch header[0] {
	case 'l':
	case 'B':
		order = binary.BigEndian
	default:
		return errNoMessage
	}
	body, fields := uint64(order.Uint32(header[4:])), uint64(order.Uint32(header[12:]))
	size := fixedHeader + (fields+7)/8*8 + body
	if size > longestMessage || fields > longestFields {
		return fmt.Errorf("%w: %d bytes, %d of them fields", errMessageTooLong, size, fields)
	}
	if dbus.Type(header[1]) == dbus.TypeMethodCall {
		_, err := s.buffer.Discard(int(size))
		return err
	}
	message := make([]byte, size)
	if _, err := io.ReadFull(s.buffer, message); err != nil {
		return io.ErrUnexpectedEOF
	}
	if !endsInTime(message[fixedHeader:fixedHeader+fields], order) || hasEmptyStructure(message) {
		return errNoMessage
	}
	s.message = message
	return nil
}

// hasEmptyStructure reports whether a signature in the message has a structure of nothing, which D-Bus does not know.
// godbus reads a list of these for ever: none of them brings it nearer to the end of the list. A signature is its
// length in one byte, letters and parentheses, and a zero. The length of a text has four bytes.
func hasEmptyStructure(message []byte) bool {
	for at := 0; ; at++ {
		next := bytes.Index(message[at:], []byte("()"))
		if next < 0 {
			return false
		}
		at += next
		end := at
		for end < len(message) && isType(message[end]) {
			end++
		}
		if end == len(message) || message[end] != 0 {
			continue
		}
		for begin := at; begin > 0 && end-begin <= longestSignature; begin-- {
			if int(message[begin-1]) == end-begin {
				if _, err := dbus.ParseSignature(string(message[begin:end])); err == nil {
					return true
				}
			}
			if !isType(message[begin-1]) {
				break
			}
		}
	}
}

const longestSignature = 255

func isType(c byte) bool { return bytes.IndexByte([]byte("ybnqiuxtdsgovha(){}"), c) >= 0 }

// endsInTime reports whether the last of the fields of a header ends where all fields do. godbus reads a longer one to
// its end, and so what follows as another message than the one that was measured.
func endsInTime(fields []byte, order binary.ByteOrder) bool {
	for len(fields) > 4 && fields[1] == 1 && fields[3] == 0 { // the number of the field, and its type of one letter
		value, size := fields[4:], 0
		switch kind := fields[2]; {
		case kind == 'g':
			size = 1 + int(value[0]) + 1
		case len(value) >= 4 && (kind == 's' || kind == 'o'):
			size = 4 + int(order.Uint32(value)) + 1
		case kind == 'u':
			size = 4
		default:
			return false
		}
		if size == len(value) {
			return true
		}
		fields = fields[min((4+size+7)/8*8, len(fields)):]
	}
	return false
}
