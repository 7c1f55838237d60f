package draft

import (
	"testing"

	"temper/harness/observe"
	"temper/profiles"
)

// TestChecksOf: what was answered becomes checks that a profile can have and that ask the same; what says nothing of
// the service, or is elsewhere next time, becomes none.
func TestChecksOf(t *testing.T) {
	answered := func(protocol string) observe.Facts {
		return observe.Facts{"a connection": "accepted", "the protocol": protocol, "the answer": "a line"}
	}
	for _, tc := range []struct {
		where      string
		facts      observe.Facts
		name, sent string
	}{
		{"tcp 127.0.0.1:6379", answered("Redis"), "answers Redis at port 6379", "PING\r\n"},
		{"tcp [::1]:11211", answered("memcached"), "answers memcached at port 11211", "version\r\n"},
		{
			"tcp 127.0.0.1:5432", answered("PostgreSQL"), "answers PostgreSQL at port 5432",
			"\x00\x00\x00\x08\x04\xd2\x16\x2f",
		},
		{"tcp 127.0.0.1:22", answered("SSH"), "greets with SSH at port 22", ""},
		{"tcp 127.0.0.1:25", answered("SMTP"), "greets with SMTP at port 25", ""},
		{"tcp 127.0.0.1:4730", observe.Facts{"a connection": "accepted"}, "accepts connections at port 4730", ""},
		{"unix /run/a", observe.Facts{"a connection": "accepted"}, "accepts connections at /run/a", ""},
		{
			"tcp 127.0.0.1:80",
			observe.Facts{"a connection": "accepted", "the protocol": "HTTP", "status": "404 Not Found"},
			"answers HTTP at port 80", "",
		},
		{
			"the bus name org.a",
			observe.Facts{"the description of /": "read"},
			"describes itself on the bus as org.a", "",
		},
		{"tcp 127.0.0.1:32768", answered("Redis"), "", ""},
		{"tcp 127.0.0.1:6379", observe.Facts{"a connection": "refused"}, "", ""},
		{"unix /run/a b", observe.Facts{"a connection": "accepted"}, "", ""},
	} {
		list := checksOf(map[string]observe.Facts{tc.where: tc.facts})
		if tc.name == "" {
			if len(list) > 0 {
				t.Errorf("%s: %q", tc.where, list)
			}
			continue
		}
		if len(list) != 1 || list[0].name != tc.name {
			t.Errorf("%s: %q, want %q", tc.where, list, tc.name)
			continue
		}
		p, err := profiles.ParseText("a", "units = [\"a.service\"]\n[[check]]\nname = \"x\"\n"+list[0].lines, nil)
		if err != nil {
			t.Errorf("%s: %v\n%s", tc.where, err, list[0].lines)
			continue
		}
		if c := p.Checks[0]; c.TCP != nil && c.TCP.Send != tc.sent {
			t.Errorf("%s: asks %q, want %q", tc.where, c.TCP.Send, tc.sent)
		}
	}
}
