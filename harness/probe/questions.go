package probe

// questions are those that are the same for every service of a protocol, in the form of a check: \xHH is a byte. expect
// begins every answer that shows the service at work.
var questions = []struct{ network, protocol, send, expect string }{
	{"tcp", "Redis", `PING\x0d\x0a`, "+PONG"},
	{"tcp", "memcached", `version\x0d\x0a`, "VERSION"},
	{"tcp", "PostgreSQL", `\x00\x00\x00\x08\x04\xd2\x16\x2f`, "/^[NS]$/"},
	{
		"tcp", "LDAP",
		`\x30\x25\x02\x01\x01\x63\x20\x04\x00\x0a\x01\x00\x0a\x01\x00\x02\x01\x01\x02\x01\x05\x01\x01\x00` +
			`\x87\x0bobjectClass\x30\x00`,
		"objectClass",
	},
	{"udp", "DNS", `MZ\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01`, "MZ"},
}

// Question returns what a client of a protocol asks first and what an answer has, in the form in which a check of a
// profile says it; "" where that is not the same for every service.
func Question(network, protocol string) (send, expect string) {
	for _, q := range questions {
		if q.network == network && q.protocol == protocol {
			return q.send, q.expect
		}
	}
	return "", ""
}

// greetings begin what a service says first, whatever its name and version.
var greetings = map[string]string{
	"SSH": "SSH-", "SMTP": "220", "FTP": "220", "POP3": "+OK", "IMAP": "* OK", "RFB": "RFB ",
}

// Greeting is the beginning of what every service of a protocol says first; "" if it says nothing, or not the same.
func Greeting(protocol string) string { return greetings[protocol] }
