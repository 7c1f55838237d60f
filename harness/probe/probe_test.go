package probe_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"temper/harness/probe"
)

// dialer connects to servers that run in this process, by the address that the service has.
type dialer map[string]func(net.Conn)

func (d dialer) Dial(_ context.Context, network, address string) (net.Conn, error) {
	serve, ok := d[network+" "+address]
	if !ok {
		return nil, io.ErrClosedPipe
	}
	here, there := net.Pipe()
	go func() {
		defer there.Close()
		serve(there)
	}()
	return here, nil
}

// says serves a client that must say certain things, and answers to each.
func says(greeting string, dialog ...string) func(net.Conn) {
	write := func(conn net.Conn, text string) {
		if text != "" { // a pipe waits for a reader even of nothing
			_, _ = io.WriteString(conn, text)
		}
	}
	return func(conn net.Conn) {
		write(conn, greeting)
		for i := 0; i+1 < len(dialog); i += 2 {
			question := make([]byte, len(dialog[i]))
			if _, err := io.ReadFull(conn, question); err != nil || string(question) != dialog[i] {
				return
			}
			write(conn, dialog[i+1])
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

// answers reads a question of a size and gives one answer.
func answers(size int, answer []byte) func(net.Conn) {
	return func(conn net.Conn) {
		if readAll(conn, make([]byte, size)) {
			_, _ = conn.Write(answer)
		}
		_, _ = io.Copy(io.Discard, conn)
	}
}

func readAll(conn net.Conn, question []byte) bool {
	_, err := io.ReadFull(conn, question)
	return err == nil
}

// TestSockets: each protocol gets the question that its clients ask first, what is not known gets none, and what
// differs from launch to launch is left out of the answers.
func TestSockets(t *testing.T) {
	t.Parallel()
	accepted := func(facts ...string) probe.Answer {
		a := probe.Answer{Facts: map[string]string{"a connection": "accepted"}}
		for i := 0; i < len(facts); i += 2 {
			a.Facts[facts[i]] = facts[i+1]
		}
		return a
	}
	worked := func(a probe.Answer, work string) probe.Answer { a.Work = work; return a }
	const request = "GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Go-http-client/1.1\r\nConnection: close\r\n\r\n"
	for name, tc := range map[string]struct {
		socket string
		serve  func(net.Conn)
		want   probe.Answer
	}{
		"HTTP": {
			"tcp 0.0.0.0:80",
			says("", request, "HTTP/1.1 200 OK\r\nContent-Type: text/html; x=7\r\nContent-Length: 0\r\n\r\n"),
			worked(accepted("the protocol", "HTTP", "status", "200 OK", "the type", "text/html; x=N"), "a page"),
		},
		"HTTP that moves": {
			"tcp [::]:8080",
			says("", request, "HTTP/1.1 301 Moved\r\nLocation: https://x/\r\nContent-Length: 0\r\n\r\n"),
			accepted("the protocol", "HTTP", "status", "301 Moved", "the location", "https://x/"),
		},
		"SMTP": {
			"tcp 127.0.0.1:25",
			says("220 host.example ESMTP 4711\r\n",
				"EHLO localhost\r\n", "250-host\r\n250 SIZE 99\r\n", "QUIT\r\n", ""),
			accepted("a greeting", "N host.example ESMTP N", "the protocol", "SMTP",
				"the extensions", "N-host; N SIZE N"),
		},
		"SSH on another port": {
			"tcp 127.0.0.1:2222",
			says("SSH-2.0-x_9\r\n", "SSH-2.0-temper\r\n", "\x00\x00\x00\x10\x04\x14xxxx"),
			accepted("a greeting", "SSH-N.N-N", "the protocol", "SSH", "the key exchange", "offered: true"),
		},
		"a refusal in the words of SSH": {
			"tcp 127.0.0.1:22",
			says("SSH-2.0-x_9\r\n", "SSH-2.0-temper\r\n", ""),
			accepted("a greeting", "SSH-N.N-N", "the protocol", "SSH", "the key exchange", "no answer"),
		},
		"Redis": {
			"tcp 127.0.0.1:6379", says("", "PING\r\n", "+PONG\r\n"),
			accepted("the protocol", "Redis", "the answer", "+PONG"),
		},
		"LDAP": {
			"tcp 127.0.0.1:389", func(conn net.Conn) {
				if question := make([]byte, 39); readAll(conn, question) {
					_, _ = io.WriteString(conn, "\x30\x20objectClass")
				}
			},
			accepted("the protocol", "LDAP", "the answer", "an entry: true"),
		},
		"NTP": {
			"udp 127.0.0.1:123", answers(48, append([]byte{4<<3 | 4, 2}, make([]byte, 46)...)),
			worked(accepted("the protocol", "NTP", "the answer", "the time: true"), "the time"),
		},
		"NTP by one who does not serve": {
			"udp 127.0.0.1:123", answers(48, append([]byte{4<<3 | 3, 2}, make([]byte, 46)...)),
			accepted("the protocol", "NTP", "the answer", "the time: false"),
		},
		"TFTP, which answers from another port": {
			"udp 127.0.0.1:69",
			func(conn net.Conn) {
				const request = "\x00\x01temper-probe\x00octet\x00"
				if question := make([]byte, len(request)); !readAll(conn, question) || string(question) != request {
					t.Errorf("asked %q", question)
				}
			},
			accepted("the protocol", "TFTP"),
		},
		"SNMP": {
			"udp 127.0.0.1:161",
			answers(40, []byte("\x30\x29\x02\x01\x01\x04\x06public\xa2\x1c\x02\x01\x01\x02\x01\x00\x02\x01\x00"+
				"\x30\x11\x30\x0f\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x04\x03x86")),
			worked(
				accepted("the protocol", "SNMP", "the answer", "a description: true"),
				"a description of the system",
			),
		},
		"SNMP without a description": {
			"udp 127.0.0.1:161",
			answers(40, []byte("\x30\x26\x02\x01\x01\x04\x06public\xa2\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00"+
				"\x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x80\x00")),
			accepted("the protocol", "SNMP", "the answer", "a description: false"),
		},
		"MQTT": {
			"tcp 127.0.0.1:1883",
			says("", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00", "\x20\x02\x00\x00", "\xe0\x00", ""),
			accepted("the protocol", "MQTT", "the answer", "20020000"),
		},
		"AMQP": {
			"tcp 127.0.0.1:5672", says("", "AMQP\x00\x00\x09\x01", "\x01\x00\x00\x00\x00\x01\xdb"),
			accepted("the protocol", "AMQP", "the answer", "01"),
		},
		"PostgreSQL": {
			"tcp 127.0.0.1:5432", says("", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "S"),
			accepted("the protocol", "PostgreSQL", "the answer", "S"),
		},
		"MySQL": {
			"tcp 127.0.0.1:3306", says("\x4a\x00\x00\x00\x0a11.8.9-MariaDB\x00"),
			accepted("the protocol", "MySQL", "a greeting", "not text"),
		},
		"memcached": {
			"tcp 127.0.0.1:11211", says("", "version\r\n", "VERSION 1.6.38\r\n"),
			accepted("the protocol", "memcached", "the answer", "VERSION N.N.N"),
		},
		"what speaks first": {
			"unix /run/x", says("hello 17\n"), accepted("a greeting", "hello N"),
		},
		"what speaks first, not in text": {
			"unix /run/y", says("\x00\xff\n"), accepted("a greeting", "not text"),
		},
		"what waits": {"tcp 127.0.0.1:7", says(""), accepted("a greeting", "none")},
		"DNS": {
			"udp 127.0.0.1:53",
			func(conn net.Conn) {
				if question := make([]byte, 27); readAll(conn, question) {
					header := []byte{question[0], question[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0}
					_, _ = conn.Write(append(header, question[12:]...))
				}
			},
			worked(accepted("the protocol", "DNS", "the answer", "code 0, records: true"), "a record"),
		},
		"not there": {
			"tcp 127.0.0.1:81", nil, probe.Answer{Facts: map[string]string{"a connection": "refused"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := strings.NewReplacer("0.0.0.0", "127.0.0.1", "[::]", "[::1]").Replace(tc.socket)
			d := dialer{}
			if tc.serve != nil {
				d[at] = tc.serve
			}
			got := probe.Sockets(t.Context(), d, map[string]string{"it": tc.socket}, nil)
			if diff := cmp.Diff(map[string]probe.Answer{"it": tc.want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := probe.Sockets(t.Context(), dialer{}, map[string]string{"it": "udp 127.0.0.1:99"}, nil); len(got) > 0 {
		t.Errorf("datagrams of an unknown kind: %v", got)
	}
}

// TestSocketsTLS: what is encrypted from the beginning is asked inside, and shows its certificate.
func TestSocketsTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	serve := func(conn net.Conn) {
		talk := says("* OK ready\r\n",
			"a CAPABILITY\r\n", "* CAPABILITY IMAP4rev1\r\na OK\r\n", "b LOGOUT\r\n", "")
		talk(tls.Server(conn, config))
	}
	d := dialer{"tcp 127.0.0.1:993": serve}
	got := probe.Sockets(t.Context(), d, map[string]string{"it": "tcp 127.0.0.1:993"}, nil)["it"].Facts
	want := map[string]string{
		"a connection": "accepted", "TLS": "TLS N.N", "the certificate": "CN=mail", "a greeting": "* OK ready",
		"the protocol": "IMAP", "the capabilities": "* CAPABILITY N; a OK",
	}
	want["TLS"] = "TLS 1.3"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
