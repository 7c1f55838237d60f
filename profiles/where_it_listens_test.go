package profiles_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"temper/profiles"
)

// listening reads listeners such as "tcp 0.0.0.0:80".
func listening(t *testing.T, text ...string) []profiles.Listener {
	t.Helper()
	var list []profiles.Listener
	for _, one := range text {
		network, address, _ := strings.Cut(one, " ")
		list = append(list, profiles.Listener{Network: network, Address: netip.MustParseAddrPort(address)})
	}
	return list
}

// TestWhere: a check asks at the port that it expects, and where the service does not listen there, at the other ports
// of the service.
func TestWhere(t *testing.T) {
	http := func(url string) profiles.Check { return profiles.Check{HTTP: &profiles.HTTPCheck{URL: url}} }
	udp := func(address string) profiles.Check {
		return profiles.Check{UDP: &profiles.StreamCheck{Address: address}}
	}
	shell := func(script string) profiles.Check {
		return profiles.Check{Exec: &profiles.ExecCheck{Command: []string{"sh", "-c", script}}}
	}
	rows := []struct {
		name      string
		check     profiles.Check
		listeners []profiles.Listener
		want      []string
	}{
		{
			"the port expected", http("http://{address:80}/"), listening(t, "tcp 0.0.0.0:22", "tcp 0.0.0.0:80"),
			[]string{"http://127.0.0.1:80/"},
		},
		{
			"the other ports, the lowest first", http("http://{address:80}/"),
			listening(t, "tcp 0.0.0.0:8443", "udp 0.0.0.0:53", "tcp 0.0.0.0:8080"),
			[]string{"http://127.0.0.1:8080/", "http://127.0.0.1:8443/"},
		},
		{
			"no more than four", http("http://{address}/"),
			listening(t, "tcp 1.1.1.1:5", "tcp 1.1.1.1:4", "tcp 1.1.1.1:3", "tcp 1.1.1.1:2", "tcp 1.1.1.1:1"),
			[]string{"http://1.1.1.1:1/", "http://1.1.1.1:2/", "http://1.1.1.1:3/", "http://1.1.1.1:4/"},
		},
		{
			"one address alone", http("http://{address:80}/"), listening(t, "tcp 192.0.2.1:80"),
			[]string{"http://192.0.2.1:80/"},
		},
		{
			"all addresses before one of them", http("http://{address:80}/"),
			listening(t, "tcp 127.0.0.2:80", "tcp 192.0.2.1:80", "tcp [::]:80"),
			[]string{"http://127.0.0.1:80/"},
		},
		{
			"IPv6", http("http://{address}/"), listening(t, "tcp [::]:8080"),
			[]string{"http://127.0.0.1:8080/", "http://[::1]:8080/"},
		},
		{"nothing listens", http("http://{address:80}/"), nil, []string{"http://127.0.0.1:80/"}},
		{"nothing listens, and no port is expected", http("http://{address}/"), nil, nil},
		{
			"UDP", udp("127.0.0.1:{port:53}"), listening(t, "tcp 0.0.0.0:53", "udp 0.0.0.0:5353"),
			[]string{"127.0.0.1:5353"},
		},
		{
			"a command, any protocol", shell("dig @127.0.0.1 -p {port:53}; curl {address:80}"),
			listening(t, "tcp 127.0.0.1:953", "udp 0.0.0.0:53"),
			[]string{"dig @127.0.0.1 -p 53; curl 127.0.0.1:53", "dig @127.0.0.1 -p 53; curl 127.0.0.1:953"},
		},
		{
			"what only looks like one", shell("echo ${port:80} {ports} {address:} {address:x}"), nil,
			[]string{"echo $80 {ports} {address:} {address:x}"},
		},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			before := target(r.check)
			var got []string
			for _, c := range r.check.Where(r.listeners) {
				got = append(got, target(c))
			}
			if diff := cmp.Diff(r.want, got); diff != "" {
				t.Error(diff)
			}
			if !r.check.AsksWhereItListens() || target(r.check) != before {
				t.Errorf("the check itself has changed to %q", target(r.check))
			}
		})
	}
	if c := http("http://127.0.0.1/{address"); c.AsksWhereItListens() {
		t.Error("a check without a placeholder asks where the service listens")
	}
}

// target is what a check asks.
func target(c profiles.Check) string {
	switch {
	case c.HTTP != nil:
		return c.HTTP.URL
	case c.UDP != nil:
		return c.UDP.Address
	}
	return c.Exec.Command[2]
}

// TestPlaceholders: an address may be, or have, a placeholder, which names a port that there can be.
func TestPlaceholders(t *testing.T) {
	for address, want := range map[string]string{
		"{address:80}":          "",
		"{address}":             "",
		"127.0.0.1:{port:80}":   "",
		"[::1]:{port}":          "",
		"{address:99999}":       `address is "{address:99999}"`,
		"{adress:80}":           `address "{adress:80}" is not valid`,
		"{address:80}:80":       `address "{address:80}:80" is not valid`,
		"{port:80}":             `address "{port:80}" is not valid`,
		"127.0.0.1:{port:0}":    `address is "127.0.0.1:{port:0}"`,
		"127.0.0.1:{port:http}": `address "127.0.0.1:{port:http}" is not valid`,
	} {
		_, findings := profiles.Parse([]byte("[[check]]\ntcp = { address = '" + address + "' }\n"))
		got := ""
		for _, f := range findings {
			got += f.Message
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
	urls := map[string]int{"http://{address:80}/": 0, "http://[::1]:{port:80}/": 0, "http://{adres}/": 1}
	for url, want := range urls {
		_, findings := profiles.Parse([]byte("[[check]]\nhttp = { url = '" + url + "' }\n"))
		if len(findings) != want {
			t.Errorf("%s: got %v", url, findings)
		}
	}
}
