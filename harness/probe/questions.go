package probe

import (
	"fmt"
	"slices"
	"strings"
)

// What clients ask first, where that is the same for every service of a protocol.
const (
	ping       = "PING\r\n"
	version    = "version\r\n"
	sslRequest = "\x00\x00\x00\x08\x04\xd2\x16\x2f" // whether PostgreSQL encrypts, which it answers with one letter
	rootSearch = "\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x01\x02\x01\x05\x01\x01\x00" +
		"\x87\x0bobjectClass\x30\x00"
	localhost = "\x4d\x5a\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01"
)

// questions are those that a check of a profile can ask. expect is in every answer that shows the service at work.
var questions = []struct{ network, protocol, ask, expect string }{
	{"tcp", "Redis", ping, "+PONG"},
	{"tcp", "memcached", version, "VERSION"},
	{"tcp", "PostgreSQL", sslRequest, "/^[NS]$/"},
	{"tcp", "LDAP", rootSearch, "objectClass"},
	{"udp", "DNS", localhost, localhost[:2]},
}

// Question returns what a client of a protocol asks first and what an answer has, in the form in which a check of a
// profile says it; "" where that is not the same for every service.
func Question(network, protocol string) (send, expect string) {
	for _, q := range questions {
		if q.network == network && q.protocol == protocol {
			return escaped(q.ask), q.expect
		}
	}
	return "", ""
}

// escaped writes each byte that is not a printable character of ASCII as \xHH.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if c < ' ' || c > '~' || c == '\\' || c == '\'' {
			fmt.Fprintf(&b, `\x%02x`, c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Greeting is the beginning of what every service of a protocol says first; "" if it says nothing, or not the same.
func Greeting(name string) string {
	if name == "SMTP" || name == "FTP" { // which of them it is, that does not tell
		return "220"
	}
	i := slices.IndexFunc(protocols, func(p *protocol) bool { return p.name == name && p.greeting != nil })
	if i < 0 {
		return ""
	}
	return string(protocols[i].greeting)
}
