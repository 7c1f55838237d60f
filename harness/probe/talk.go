package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// A talk is a connection to a service, and what it has answered so far.
type talk struct {
	conn   net.Conn
	answer *Answer
}

// run talks to a service as its protocol wants. If the protocol is not known, it waits for the service to speak first,
// which may tell the protocol.
func (t *talk) run(ctx context.Context, p *protocol, patience time.Duration) {
	if p != nil && p.tls && !t.startTLS(ctx) {
		return
	}
	if p != nil && !p.greets {
		t.answer.Facts["the protocol"] = p.name
		p.ask(t)
		return
	}
	if p != nil {
		patience = limit
	}
	greeting := t.read(patience, isLine)
	if len(greeting) == 0 {
		t.answer.Facts["a greeting"] = "none"
		return
	}
	t.answer.Facts["a greeting"] = line(greeting)
	if greeter := greeterOf(greeting, p); greeter != nil {
		t.answer.Facts["the protocol"] = greeter.name
		if greeter.ask != nil {
			greeter.ask(t)
		}
	}
}

// startTLS encrypts the connection, and notes whose certificate the service has.
func (t *talk) startTLS(ctx context.Context) bool {
	// It is asked what it shows to clients that do not trust it; nothing is told to it.
	secure := tls.Client(t.conn, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost"})
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil {
		t.answer.Facts["TLS"] = "refused"
		return false
	}
	state := secure.ConnectionState()
	t.answer.Facts["TLS"] = tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		t.answer.Facts["the certificate"] = withoutNumbers(state.PeerCertificates[0].Subject.String())
	}
	t.conn = secure
	return true
}

// dialog sends a question and notes the answer, up to what ends it.
func (t *talk) dialog(about, question string, isEnd func([]byte) bool) []byte {
	_ = t.conn.SetWriteDeadline(time.Now().Add(limit))
	if _, err := t.conn.Write([]byte(question)); err != nil {
		t.answer.Facts[about] = "the connection is closed"
		return nil
	}
	answer := t.read(limit, isEnd)
	switch {
	case len(answer) == 0:
		t.answer.Facts[about] = "no answer"
	default:
		t.answer.Facts[about] = lines(answer)
	}
	return answer
}

// send sends a farewell that needs no answer.
func (t *talk) send(text string) {
	_ = t.conn.SetWriteDeadline(time.Now().Add(limit))
	_, _ = t.conn.Write([]byte(text))
}

// read reads until an answer is complete, the time is up, or the service closes the connection.
func (t *talk) read(within time.Duration, isEnd func([]byte) bool) []byte {
	_ = t.conn.SetReadDeadline(time.Now().Add(within))
	var all []byte
	part := make([]byte, 4096)
	for len(all) < maxAnswer && !(len(all) > 0 && isEnd(all)) {
		n, err := t.conn.Read(part)
		all = append(all, part[:n]...)
		if err != nil {
			break
		}
	}
	return all
}

func isLine(answer []byte) bool  { return bytes.HasSuffix(answer, []byte("\n")) || !utf8.Valid(answer) }
func isBytes(answer []byte) bool { return len(answer) > 0 }

// endsWith returns what recognizes the last line of an answer.
func endsWith(last string) func([]byte) bool {
	pattern := regexp.MustCompile(`(?m)^` + last + `[^\n]*\n\z`)
	return pattern.Match
}

// line is the first line of a greeting without numbers; what is not text is only told to be there.
func line(greeting []byte) string {
	first, _, _ := strings.Cut(string(greeting), "\n")
	first = strings.TrimSpace(first)
	if !utf8.ValidString(first) || strings.ContainsFunc(first, func(r rune) bool { return r < ' ' }) {
		return "not text"
	}
	return withoutNumbers(first)
}

// lines are the lines of an answer without numbers, and without its last line break.
func lines(answer []byte) string {
	if !utf8.Valid(answer) || bytes.ContainsRune(answer, 0) {
		return "not text"
	}
	return withoutNumbers(strings.ReplaceAll(strings.TrimSpace(string(answer)), "\r\n", "; "))
}

// number matches a word with a digit, such as a version, a time or an id.
var number = regexp.MustCompile(`[0-9A-Za-z_]*[0-9][0-9A-Za-z_]*`)

func withoutNumbers(text string) string { return number.ReplaceAllString(text, "N") }
