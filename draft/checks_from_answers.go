package draft

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"temper/harness/observe"
	"temper/harness/probe"
)

// A check is a check of the profile, made from what the service answered to a probe.
type check struct {
	name  string
	lines string // of TOML: what is asked, and what is expected
}

// firstRandomPort is the first port that Linux chooses for who asks for none: a service has another one next time.
const firstRandomPort = 32768

// checksOf makes a check for each socket and name at which the service answered. Which answers do not waver, the proof
// tells: what fails without hardening is set aside.
func checksOf(answers map[string]observe.Facts) []check {
	var list []check
	for _, where := range slices.Sorted(maps.Keys(answers)) {
		c := checkOf(where, answers[where])
		isSame := func(x check) bool { return x.name == c.name }
		if c.name != "" && !slices.ContainsFunc(list, isSame) {
			list = append(list, c)
		}
	}
	return list
}

// checkOf makes a check of what was answered at one place; one without a name if it answered nothing.
func checkOf(where string, facts observe.Facts) check {
	if name, isBus := strings.CutPrefix(where, "the bus name "); isBus {
		if facts["the description of /"] != "read" {
			return check{}
		}
		return check{"describes itself on the bus as " + name, fmt.Sprintf(
			"dbus = { name = %s, path = \"/\", interface = \"org.freedesktop.DBus.Introspectable\", "+
				"method = \"Introspect\" }\n", quote(name))}
	}
	network, address, _ := strings.Cut(where, " ")
	if facts["a connection"] != "accepted" {
		return check{}
	}
	if network == "unix" {
		if address == "" || strings.ContainsAny(address, " \x00") || !strings.Contains("/@", address[:1]) {
			return check{}
		}
		return check{"accepts connections at " + address, fmt.Sprintf("unix = { path = %s }\n", quote(address))}
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil || a.Port() >= firstRandomPort {
		return check{}
	}
	return portCheck(network, a.Port(), facts)
}

// portCheck makes a check of what was answered at a port.
func portCheck(network string, port uint16, facts observe.Facts) check {
	protocol := facts["the protocol"]
	at := fmt.Sprintf("address = \"{address:%d}\"", port)
	status, _, _ := strings.Cut(facts["status"], " ")
	send, expect := probe.Question(network, protocol)
	_, answered := facts["the answer"]
	switch {
	case protocol == "HTTP" && len(status) == len("200"):
		scheme := "http"
		if facts["TLS"] != "" {
			scheme = "https"
		}
		return check{fmt.Sprintf("answers HTTP at port %d", port), fmt.Sprintf(
			"http = { url = \"%s://{address:%d}/\", status = %s }\n", scheme, port, status)}
	case answered && send != "" && facts["TLS"] == "":
		return check{fmt.Sprintf("answers %s at port %d", protocol, port), fmt.Sprintf(
			"%s = { %s, send = '%s', expect = %s }\n", network, at, send, quote(expect))}
	case network == "tcp" && probe.Greeting(protocol) != "" && facts["TLS"] == "":
		return check{fmt.Sprintf("greets with %s at port %d", protocol, port), fmt.Sprintf(
			"tcp = { %s, expect = %s }\n", at, quote(probe.Greeting(protocol)))}
	case network == "tcp":
		return check{fmt.Sprintf("accepts connections at port %d", port), fmt.Sprintf("tcp = { %s }\n", at)}
	}
	return check{}
}
