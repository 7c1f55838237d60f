package probe

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// A protocol is what a client of it says first, and what of the answer is compared.
type protocol struct {
	name     string
	ports    []uint16
	network  string        // "tcp" or "udp"
	tls      bool          // on these ports the connection is encrypted from the beginning
	greets   bool          // the service speaks first
	greeting []byte        // with which it begins, where that tells the protocol on any port
	ask      func(t *talk) // asks what a client asks first, and leaves; nil = the greeting is all
}

// protocols are the well-known protocols, by the ports that IANA has for them and services use. What speaks first is
// known by its greeting on other ports too.
var protocols = []*protocol{
	{name: "HTTP", network: "tcp", ports: []uint16{80, 591, 631, 3000, 8000, 8008, 8080, 8081, 8088, 8888, 9090}, ask: page},
	{name: "HTTP", network: "tcp", ports: []uint16{443, 8443, 9443}, tls: true, ask: page},
	{name: "SSH", network: "tcp", ports: []uint16{22}, greets: true, greeting: []byte("SSH-"), ask: keyExchange},
	{name: "SMTP", network: "tcp", ports: []uint16{25, 587}, greets: true, ask: extensions},
	{name: "SMTP", network: "tcp", ports: []uint16{465}, tls: true, greets: true, ask: extensions},
	{name: "FTP", network: "tcp", ports: []uint16{21}, greets: true, ask: features},
	{name: "FTP", network: "tcp", ports: []uint16{990}, tls: true, greets: true, ask: features},
	{name: "POP3", network: "tcp", ports: []uint16{110}, greets: true, greeting: []byte("+OK"), ask: popCapabilities},
	{name: "POP3", network: "tcp", ports: []uint16{995}, tls: true, greets: true, ask: popCapabilities},
	{name: "IMAP", network: "tcp", ports: []uint16{143}, greets: true, greeting: []byte("* OK"), ask: imapCapabilities},
	{name: "IMAP", network: "tcp", ports: []uint16{993}, tls: true, greets: true, ask: imapCapabilities},
	{name: "MySQL", network: "tcp", ports: []uint16{3306}, greets: true},
	{name: "RFB", network: "tcp", ports: []uint16{5900, 5901}, greets: true, greeting: []byte("RFB ")},
	{name: "PostgreSQL", network: "tcp", ports: []uint16{5432}, ask: simple(sslRequest, isBytes)},
	{name: "Redis", network: "tcp", ports: []uint16{6379}, ask: simple(ping, isLine)},
	{name: "memcached", network: "tcp", ports: []uint16{11211}, ask: simple(version, isLine)},
	{name: "LDAP", network: "tcp", ports: []uint16{389}, ask: rootEntry},
	{name: "LDAP", network: "tcp", ports: []uint16{636}, tls: true, ask: rootEntry},
	{name: "MQTT", network: "tcp", ports: []uint16{1883}, ask: mqtt},
	{name: "MQTT", network: "tcp", ports: []uint16{8883}, tls: true, ask: mqtt},
	{name: "AMQP", network: "tcp", ports: []uint16{5672}, ask: first("AMQP\x00\x00\x09\x01", 1)},
	{name: "DNS", network: "udp", ports: []uint16{53}, ask: func(t *talk) { t.lookUp(false) }},
	{name: "DNS", network: "tcp", ports: []uint16{53}, ask: func(t *talk) { t.lookUp(true) }},
	{name: "TFTP", network: "udp", ports: []uint16{69}, ask: missingFile},
	{name: "NTP", network: "udp", ports: []uint16{123}, ask: clock},
	{name: "SNMP", network: "udp", ports: []uint16{161}, ask: description},
}

// protocolOf returns the protocol of a port; nil if it is not known.
func protocolOf(network string, port uint16) *protocol {
	i := slices.IndexFunc(protocols, func(p *protocol) bool {
		return p.network == network && slices.Contains(p.ports, port)
	})
	if i < 0 {
		return nil
	}
	return protocols[i]
}

// greeterOf returns the protocol of a greeting: the one of the port, or else one that begins so.
func greeterOf(greeting []byte, port *protocol) *protocol {
	if port != nil {
		return port
	}
	i := slices.IndexFunc(protocols, func(p *protocol) bool {
		return p.greeting != nil && bytes.HasPrefix(greeting, p.greeting)
	})
	if i < 0 {
		return nil
	}
	return protocols[i]
}

// simple asks a question whose whole answer is compared.
func simple(question string, isEnd func([]byte) bool) func(*talk) {
	return func(t *talk) { t.dialog("the answer", question, isEnd) }
}

// first asks a question of whose answer the first n bytes are compared: they say what kind of answer it is.
func first(question string, n int) func(*talk) {
	return func(t *talk) {
		answer := t.dialog("the answer", question, func(a []byte) bool { return len(a) >= n })
		if len(answer) > 0 {
			t.answer.Facts["the answer"] = fmt.Sprintf("%x", answer[:min(n, len(answer))])
		}
	}
}

// page asks for the first page. That a page came is compared by status, type and location.
func page(t *talk) {
	_ = t.conn.SetDeadline(time.Now().Add(limit))
	request, err := http.NewRequest(http.MethodGet, "http://localhost/", nil)
	if err != nil {
		return
	}
	request.Close = true
	if err := request.Write(t.conn); err != nil {
		t.answer.Facts["status"] = "the connection is closed"
		return
	}
	response, err := http.ReadResponse(bufio.NewReader(io.LimitReader(t.conn, maxAnswer)), request)
	if err != nil {
		t.answer.Facts["status"] = "no answer"
		return
	}
	response.Body.Close()
	t.answer.Facts["status"] = response.Status
	for about, header := range map[string]string{"the type": "Content-Type", "the location": "Location"} {
		if value := response.Header.Get(header); value != "" {
			t.answer.Facts[about] = withoutNumbers(value)
		}
	}
	if response.StatusCode < http.StatusMultipleChoices {
		t.answer.Work = "a page"
	}
}

// keyExchange begins a connection of SSH and leaves before anybody logs in; RFC 4253, section 7.
func keyExchange(t *talk) {
	const message, proposal = 5, 20 // SSH_MSG_KEXINIT
	answer := t.dialog("the key exchange", "SSH-2.0-temper\r\n", func(a []byte) bool { return len(a) > message })
	if len(answer) > message {
		t.answer.Facts["the key exchange"] = fmt.Sprint("offered: ", answer[message] == proposal)
	}
}

func extensions(t *talk) { // RFC 5321
	t.dialog("the extensions", "EHLO localhost\r\n", endsWith(`[0-9]{3} `))
	t.send("QUIT\r\n")
}

func features(t *talk) { // RFC 2389
	t.dialog("the features", "FEAT\r\n", endsWith(`[0-9]{3} `))
	t.send("QUIT\r\n")
}

func popCapabilities(t *talk) { // RFC 2449
	t.dialog("the capabilities", "CAPA\r\n", endsWith(`(\.\r?$|-ERR)`))
	t.send("QUIT\r\n")
}

func imapCapabilities(t *talk) { // RFC 9051
	t.dialog("the capabilities", "a CAPABILITY\r\n", endsWith(`a `))
	t.send("b LOGOUT\r\n")
}

// rootEntry reads the entry of an LDAP server that describes itself, which everybody may read; RFC 4512, section 5.1.
func rootEntry(t *talk) {
	answer := t.dialog("the answer", rootSearch, isBytes)
	if len(answer) > 0 {
		t.answer.Facts["the answer"] = fmt.Sprint("an entry: ", bytes.Contains(answer, []byte("objectClass")))
	}
	t.send("\x30\x05\x02\x01\x02\x42\x00") // unbind
}

// mqtt connects as a client without a name; MQTT 3.1.1, section 3.1.
func mqtt(t *talk) {
	first("\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00", 4)(t)
	t.send("\xe0\x00") // disconnect
}
