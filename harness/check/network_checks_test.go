package check_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"temper/harness/check"
	"temper/profiles"
)

func quick(t *testing.T) check.Env {
	return check.Env{Place: here{root: t.TempDir()}}
}

func TestHTTP(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s\nX=%s ", r.Method, r.Host, r.URL.Path, r.Header.Get("X"))
		io.Copy(w, r.Body)
	})
	mux.HandleFunc("/moved", func(w http.ResponseWriter,
		r *http.Request,
	) {
		http.Redirect(w, r, "/", http.StatusFound)
	})
	mux.HandleFunc("/bad", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no\x1b[31m backend\n", http.StatusBadGateway)
	})
	mux.HandleFunc("/short", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("half"))
	})
	plain, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	defer plain.Close()
	defer secure.Close()
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1") // must be ignored
	get := func(path string, more func(*profiles.HTTPCheck)) profiles.Check {
		c := &profiles.HTTPCheck{URL: plain.URL + path}
		if more != nil {
			more(c)
		}
		return profiles.Check{HTTP: c}
	}
	judge(t, quick(t), []row{
		{"default is GET and 200", get("/", func(c *profiles.HTTPCheck) { c.Body = "GET 127" }), true, "status 200"},
		{"regexp over lines", get("/x", func(c *profiles.HTTPCheck) { c.Body = "/^X= $/" }), true, "status 200"},
		{"method, headers and body", get("/p", func(c *profiles.HTTPCheck) {
			c.Method, c.Send, c.Body = "POST", "ping", "POST a.example /p\nX=1 ping"
			c.Headers = map[string]string{"host": "a.example", "x": "1"}
		}), true, "status 200"},
		{
			"other body", get("/", func(c *profiles.HTTPCheck) { c.Body = "nginx" }), false,
			`want a body with "nginx", got "GET 127`,
		},
		{"other status", get("/bad", nil), false, `want status 200, got 502 "no\x1b[31m backend"`},
		{"expected status", get("/bad", func(c *profiles.HTTPCheck) { c.Status = 502 }), true, "status 502"},
		{"redirect is not followed", get("/moved", nil), false, "want status 200, got 302"},
		{"redirect may be expected", get("/moved", func(c *profiles.HTTPCheck) { c.Status = 302 }), true, "status 302"},
		{"truncated body", get("/short", nil), false, "the body ended early after 4 bytes"},
		{"self-signed", profiles.Check{HTTP: &profiles.HTTPCheck{URL: secure.URL}}, true, "status 200"},
		{"refused", profiles.Check{HTTP: &profiles.HTTPCheck{URL: "http://127.0.0.1:1/"}}, false, "connection refused"},
		{"bad URL", profiles.Check{HTTP: &profiles.HTTPCheck{URL: "http://[::1"}}, false, "missing ']'"},
	})
}

func TestTimeout(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	deaf := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) { <-release })
	limit := 80 * time.Millisecond
	judge(t, quick(t), []row{
		{
			"http",
			profiles.Check{Timeout: limit, HTTP: &profiles.HTTPCheck{URL: server.URL}},
			false,
			"(gave up after 80ms)",
		},
		{
			"tcp",
			profiles.Check{Timeout: limit, TCP: &profiles.StreamCheck{Address: deaf, Expect: "x"}},
			false,
			`want an answer with "x", got nothing`,
		},
		{
			"exec",
			profiles.Check{Timeout: limit, Exec: &profiles.ExecCheck{Command: []string{"sleep", "10"}}},
			false,
			"(gave up after 80ms)",
		},
	})
}

// listen serves each connection with serve and returns the address.
func listen(t *testing.T, network, address string, serve func(net.Conn)) string {
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

// ponger greets in two pieces, then answers the line PING.
func ponger(c net.Conn) {
	io.WriteString(c, "hel")
	time.Sleep(5 * time.Millisecond)
	io.WriteString(c, "lo\n")
	if line, _ := bufio.NewReader(c).ReadString('\n'); line == "PING\n" {
		io.WriteString(c, "+PONG\n")
	}
}

func TestStreams(t *testing.T) {
	dir := t.TempDir()
	tcp := listen(t, "tcp", "127.0.0.1:0", ponger)
	stream := listen(t, "unix", filepath.Join(dir, "stream"), ponger)
	packet := listen(t, "unixpacket", filepath.Join(dir, "packet"), ponger)
	rude := listen(t, "unix", filepath.Join(dir, "rude"), func(c net.Conn) { io.WriteString(c, "bye") })
	datagram := filepath.Join(dir, "datagram")
	sink, err := net.ListenPacket("unixgram", datagram)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	octets := listen(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		got := make([]byte, 3)
		io.ReadFull(c, got)
		fmt.Fprintf(c, "got %x", got)
	})
	judge(t, quick(t), []row{
		{"any bytes", profiles.Check{TCP: &profiles.StreamCheck{
			Address: octets, Send: "\x00\xff\n",
			Expect: "got 00ff0a",
		}}, true, "answered"},
		{"accepted", profiles.Check{TCP: &profiles.StreamCheck{Address: tcp}}, true, "accepted"},
		{
			"greeting in pieces",
			profiles.Check{TCP: &profiles.StreamCheck{Address: tcp, Expect: "hello"}},
			true,
			`"hello"`,
		},
		{
			"answer",
			profiles.Check{TCP: &profiles.StreamCheck{Address: tcp, Send: "PING\n", Expect: `/\+PONG\n$/`}},
			true, "PONG",
		},
		{
			"other answer",
			profiles.Check{TCP: &profiles.StreamCheck{Address: tcp, Send: "PONG\n", Expect: "+PONG"}},
			false,
			`want an answer with "+PONG", got "hello"`,
		},
		{"refused", profiles.Check{TCP: &profiles.StreamCheck{Address: "127.0.0.1:1"}}, false, "connection refused"},
		{
			"unix stream",
			profiles.Check{Unix: &profiles.StreamCheck{Address: stream, Send: "PING\n", Expect: "+PONG"}},
			true, "PONG",
		},
		{
			"unix packet",
			profiles.Check{Unix: &profiles.StreamCheck{Address: packet, Send: "PING\n", Expect: "+PONG"}},
			true, "PONG",
		},
		{"unix datagram", profiles.Check{Unix: &profiles.StreamCheck{Address: datagram, Send: "x"}}, true, "accepted"},
		{"answers without listening", profiles.Check{Unix: &profiles.StreamCheck{
			Address: rude, Send: "PING\n",
			Expect: "bye",
		}}, true, `"bye"`},
		{"no socket", profiles.Check{Unix: &profiles.StreamCheck{Address: dir + "/none"}}, false, "no such file"},
	})
}

func TestUDP(t *testing.T) {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if n > 0 {
				conn.WriteTo([]byte(strings.ToUpper(string(buf[:n]))), from)
			}
		}
	}()
	address := conn.LocalAddr().String()
	judge(t, quick(t), []row{
		{
			"answer",
			profiles.Check{UDP: &profiles.StreamCheck{Address: address, Send: "abc", Expect: "ABC"}},
			true,
			`"ABC"`,
		},
		{"silence is no refusal", profiles.Check{UDP: &profiles.StreamCheck{Address: address}}, true, "no refusal"},
		{
			"any answer",
			profiles.Check{UDP: &profiles.StreamCheck{Address: address, Send: "abc"}},
			true,
			"answered 3 bytes",
		},
		{
			"nobody there",
			profiles.Check{UDP: &profiles.StreamCheck{Address: "127.0.0.1:1", Send: "abc"}},
			false,
			"connection refused",
		},
		{
			"other answer",
			profiles.Check{
				Timeout: 50 * time.Millisecond,
				UDP:     &profiles.StreamCheck{Address: address, Send: "abc", Expect: "abc"},
			},
			false, `want an answer with "abc", got "ABC"`,
		},
	})
}
